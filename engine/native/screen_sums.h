/**
 * Products of a row with chosen rows of a weight, each summed along the depth in order with one rounding a step, as
 * `multiplyTile` (gemm.h) sums: the same number to the bit. Lanes are the chosen rows; squares of W by W numbers are turned in
 * registers.
 */
#pragma once
#include <utility>

#include "lanes.h"

namespace pipeline {
namespace screening {

/** The numbers of a and b at these places, those of b from W on. */
template <int W, int... Places>
PIPELINE_INLINE F<W> choose(F<W> a, F<W> b) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, Places...);
#else
  return __builtin_shuffle(a, b, I<W>{Places...});
#endif
}

/** Two vectors of which the one's upper parts of `Half` numbers and the other's lower parts change places. */
template <int W, int Half, int... Lanes>
PIPELINE_INLINE void exchange(F<W>& a, F<W>& b, std::integer_sequence<int, Lanes...>) {
  const F<W> first = choose<W, (Lanes & Half ? W + Lanes - Half : Lanes)...>(a, b);
  b = choose<W, (Lanes & Half ? W + Lanes : Lanes + Half)...>(a, b);
  a = first;
}

/** Turns W vectors of W numbers: halves of the vectors change places, then quarters, and so on. */
template <int W, int Half = W / 2>
PIPELINE_INLINE void turn(F<W>* square) {
#pragma GCC unroll 16
  for (int i = 0; i < W; i++)
    if (!(i & Half)) exchange<W, Half>(square[i], square[i + Half], std::make_integer_sequence<int, W>());
  if constexpr (Half > 1) turn<W, Half / 2>(square);
}

/** Sets of W chosen rows at a time, so that one set's sums need not wait for themselves. */
template <int W, int Sets>
PIPELINE_INLINE void sumInOrder(const float* x, const float* const* rows, int64_t depth, float* out) {
  F<W> sums[Sets];
#pragma GCC unroll 2
  for (int set = 0; set < Sets; set++) sums[set] = F<W>{};
  int64_t d = 0;
  for (; d + W <= depth; d += W) {
#pragma GCC unroll 2
    for (int set = 0; set < Sets; set++) {
      F<W> square[W];
#pragma GCC unroll 16
      for (int i = 0; i < W; i++) square[i] = load<W>(rows[set * W + i] + d);
      turn<W>(square);
#pragma GCC unroll 16
      for (int i = 0; i < W; i++) sums[set] += splatFrom<W>(x + d + i) * square[i];
    }
  }
  for (; d < depth; d++)
    for (int set = 0; set < Sets; set++) {
      F<W> column;
      for (int i = 0; i < W; i++) column[i] = rows[set * W + i][d];
      sums[set] += splatFrom<W>(x + d) * column;
    }
  for (int set = 0; set < Sets; set++) store<W>(out + set * W, sums[set]);
}

/** x · row in any order, by sums that need not wait for one another. */
template <int W>
PIPELINE_INLINE float productApart(const float* x, const float* row, int64_t depth) {
  F<W> sums[4] = {};
  int64_t d = 0;
  for (; d + 4 * W <= depth; d += 4 * W)
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) sums[i] += load<W>(x + d + i * W) * load<W>(row + d + i * W);
  for (; d < depth; d += W) {
    const int64_t left = depth - d;
    if (left >= W) sums[0] += load<W>(x + d) * load<W>(row + d);
    else sums[0] += loadPart<W>(x + d, left) * loadPart<W>(row + d, left);
  }
  return sum<W>((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

/** out_j = x · row_j of `weight` [latents, depth] for the chosen ones; room for 2 W numbers more must follow `out`. */
template <int W>
PIPELINE_INLINE void productsInOrder(const float* x, const float* weight, int64_t depth, const int32_t* chosen, int64_t count,
                                     float* out) {
  const float* rows[2 * W];
  for (int64_t at = 0; at < count; at += 2 * W) {
    const int64_t some = count - at < 2 * W ? count - at : 2 * W;
    for (int64_t i = 0; i < 2 * W; i++) rows[i] = weight + chosen[at + (i < some ? i : 0)] * depth;
    if (some > W) sumInOrder<W, 2>(x, rows, depth, out + at);
    else sumInOrder<W, 1>(x, rows, depth, out + at);
  }
}

}  // namespace screening
}  // namespace pipeline
