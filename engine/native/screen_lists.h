/**
 * What is still in question for each row of a group: columns with a lower and an upper bound of their value, in ascending
 * order. Of a top-k, what lies below the k-th largest lower bound is out; a row's threshold rises to it while it is read.
 */
#pragma once
#include "screen_cells.h"
#include "top.h"

namespace pipeline {
namespace screening {

/** The largest number below a finite one. */
inline float below(float value) { return std::nextafter(value, -HUGE_VALF); }

/** How many lanes are at least the limit. By name where compilers compare number by number. */
template <int W>
PIPELINE_INLINE int64_t reaching(I<W> numbers, I<W> limit) {
#if PIPELINE_X86
  if constexpr (W == 16) {
    uint32_t mask;
    asm("vpcmpd $5, %2, %1, %%k1\n\tkmovw %%k1, %0" : "=r"(mask) : "v"(numbers), "v"(limit) : "k1");
    return __builtin_popcount(mask);
  }
  if constexpr (W == 8) {
    uint32_t mask;
    I<8> less;
    asm("vpcmpgtd %2, %3, %1\n\tvmovmskps %1, %0" : "=r"(mask), "=&x"(less) : "x"(numbers), "x"(limit));
    return 8 - __builtin_popcount(mask);
  }
#endif
  const I<W> least = numbers >= limit;
  int64_t count = 0;
  for (int lane = 0; lane < W; lane++) count -= least[lane];
  return count;
}

/**
 * A number that at least k of the first `count` reach, and nearly the largest such: numbers of no sign order as their bits do,
 * so bits are decided from the highest down, a dozen of them. Room for W more must follow the numbers.
 */
template <int W>
PIPELINE_INLINE float reachedBy(float* numbers, int64_t count, int64_t k) {
  for (int64_t i = count; i % W; i++) numbers[i] = 0;
  I<W> high = I<W>{}, both = reinterpret_cast<I<W>>(load<W>(numbers));
  for (int64_t i = 0; i < count; i += W) {
    const I<W> bits = reinterpret_cast<I<W>>(load<W>(numbers + i));
    high |= bits;
    both &= bits;
  }
  uint32_t any = 0, all = ~0u;
  for (int lane = 0; lane < W; lane++) {
    any |= static_cast<uint32_t>(high[lane]);
    all &= static_cast<uint32_t>(both[lane]);
  }
  if (any == all) return numbers[0];
  const int top = 31 - __builtin_clz(any ^ all);
  uint32_t found = all >> top >> 1 << top << 1;
  for (int bit = top; bit >= 0 && bit > top - 12; bit--) {
    const uint32_t tried = found | 1u << bit;
    const I<W> limit = I<W>{} + static_cast<int32_t>(tried);
    int64_t total = 0;
    for (int64_t i = 0; i < count; i += W) total += reaching<W>(reinterpret_cast<I<W>>(load<W>(numbers + i)), limit);
    if (total >= k) found = tried;
    if (total == k) break;
  }
  float number;
  std::memcpy(&number, &found, 4);
  return number;
}

/** Writes the marked lanes one after the other; there must be room for all W. */
template <int W>
PIPELINE_INLINE void put(float* to, F<W> value, uint32_t mask) {
#if PIPELINE_X86
  if constexpr (W == 16) {
    F<16> together;
    asm("kmovw %1, %%k1\n\tvcompressps %2, %0%{%%k1%}%{z%}" : "=v"(together) : "r"(mask), "v"(value) : "k1");
    return store<16>(to, together);
  }
#endif
  float lanes[W];
  store<W>(lanes, value);
  for (; mask; mask &= mask - 1) *to++ = lanes[__builtin_ctz(mask)];
}

/** The lists of a group of rows. */
struct Lists {
  int64_t k;  // 0 where a column is in question whatever the others are
  int64_t room;
  float* thresholds;  // [rows] upper bounds at or below it are out; +inf: the row has left the lists
  float* slacks;      // [rows] by how much bounds may be off beside what they allow for
  float* guesses;     // [rows]
  int32_t* counts;    // [rows]
  int32_t* limits;    // [rows] at how many the row is thinned
  float *uppers, *lowers;  // [rows][room]
  int32_t* columns;        // [rows][room]

  static int64_t roomFor(int64_t latents, int64_t k) { return (std::max(latents / 8, 4 * k + 128) + 47) / 16 * 16; }
  /** 4-byte cells for a group. */
  static int64_t cells(int64_t rows, int64_t room) { return rows * (5 + 3 * room); }

  Lists(float* memory, int64_t rows, int64_t k, int64_t room) : k(k), room(room) {
    thresholds = memory;
    slacks = thresholds + rows;
    guesses = slacks + rows;
    counts = reinterpret_cast<int32_t*>(guesses + rows);
    limits = counts + rows;
    uppers = reinterpret_cast<float*>(limits + rows);
    lowers = uppers + rows * room;
    columns = reinterpret_cast<int32_t*>(lowers + rows * room);
  }

  /**
   * Begins a row. `guess` is what its threshold may be expected to reach, 0 for nothing: what lies below is never listed, so
   * the row only counts if it `keeps` the guess in the end.
   */
  void begin(int64_t row, float floor, float slack, float guess) const {
    const float least = slack > 0 ? below(floor - slack) : floor;
    slacks[row] = slack;
    guesses[row] = k && guess > floor ? guess : 0;
    thresholds[row] = guesses[row] > 0 ? std::max(least, below(guesses[row] - 2 * slack)) : least;
    counts[row] = 0;
    limits[row] = static_cast<int32_t>(k ? std::min(room, 4 * k + 64) : room);
  }

  /** Whether the k-th largest value, as far as known, reaches what was guessed. */
  bool keeps(int64_t row, float kth) const { return !(guesses[row] > 0) || kth >= guesses[row]; }

  bool left(int64_t row) const { return thresholds[row] == HUGE_VALF; }
  void leave(int64_t row) const {
    thresholds[row] = HUGE_VALF;
    counts[row] = 0;
  }

  /** Adds the marked ones of W neighbouring columns. Lower bounds below zero count as zero. */
  template <int W>
  PIPELINE_INLINE void add(int64_t row, F<W> upper, F<W> lower, int64_t column, uint32_t mask) const {
    const int64_t at = row * room + counts[row];
    counts[row] += __builtin_popcount(mask);
    put<W>(uppers + at, upper, mask);
    put<W>(lowers + at, larger<W>(lower, F<W>{}), mask);
    I<W> places;
    for (int lane = 0; lane < W; lane++) places[lane] = lane;
    put<W>(reinterpret_cast<float*>(columns + at), reinterpret_cast<F<W>>(places + static_cast<int32_t>(column)), mask);
    if (counts[row] + W <= limits[row]) return;
    thin<W>(row);
    const int64_t next = 2 * static_cast<int64_t>(counts[row]) + 64;
    limits[row] = static_cast<int32_t>(std::min(room, std::max<int64_t>(limits[row], next)));
    if (counts[row] + W > room) leave(row);
  }

  /** Raises a row's threshold, and leaves out what lies below it. */
  template <int W>
  PIPELINE_INLINE void thin(int64_t row) const {
    const int32_t count = counts[row];
    if (k == 0 || count <= k) return;
    const float reached = reachedBy<W>(lowers + row * room, count, k);
    if (!(reached > 0)) return;
    raise(row, reached);
  }

  /** Raises a row's threshold to what k values or lower bounds reach, and leaves out what lies below it. */
  void raise(int64_t row, float reached) const {
    const float threshold = below(reached - 2 * slacks[row]);
    if (threshold > thresholds[row]) thresholds[row] = threshold;
    drop(row);
  }

  /** Leaves out what lies below the threshold. */
  void drop(int64_t row) const {
    const float threshold = thresholds[row];
    float *const high = uppers + row * room, *const low = lowers + row * room;
    int32_t* const at = columns + row * room;
    int32_t kept = 0;
    for (int32_t i = 0; i < counts[row]; i++) {
      const float upper = high[i], lower = low[i];
      const int32_t column = at[i];
      high[kept] = upper;
      low[kept] = lower;
      at[kept] = column;
      kept += upper > threshold;
    }
    counts[row] = kept;
  }
};

}  // namespace screening
}  // namespace pipeline
