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
    for (int64_t i = 0; i < count; i += W) total += W - __builtin_popcount(maskAbove<W>(limit, reinterpret_cast<I<W>>(load<W>(numbers + i))));
    if (total >= k) found = tried;
    if (total == k) break;
  }
  float number;
  std::memcpy(&number, &found, 4);
  return number;
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
    limits[row] = static_cast<int32_t>(k ? std::min(room - 1, 4 * k + 64) : room - 1);
  }

  /** Whether the k-th largest value, as far as known, reaches what was guessed. */
  bool keeps(int64_t row, float kth) const { return !(guesses[row] > 0) || kth >= guesses[row]; }

  bool left(int64_t row) const { return thresholds[row] == HUGE_VALF; }
  void leave(int64_t row) const {
    thresholds[row] = HUGE_VALF;
    counts[row] = 0;
  }

  /** Adds a column if its upper bound is above the threshold; columns must come in ascending order. Lower bounds below zero count as zero. */
  template <int W>
  PIPELINE_INLINE void add(int64_t row, float upper, float lower, int64_t column) const {
    const int64_t at = row * room + counts[row];
    uppers[at] = upper;
    lowers[at] = lower > 0 ? lower : 0;
    columns[at] = static_cast<int32_t>(column);
    counts[row] += upper > thresholds[row];
    if (counts[row] < limits[row]) return;
    thin<W>(row);
    const int64_t next = 2 * static_cast<int64_t>(counts[row]) + 64;
    limits[row] = static_cast<int32_t>(std::min(room - 1, std::max<int64_t>(limits[row], next)));
    if (counts[row] >= limits[row]) leave(row);
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
