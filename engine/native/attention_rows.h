/** What attention does with a few queries at a time: their scores, the weights these become, and the mix of values. */
#pragma once
#include <limits>

#include "lanes.h"

namespace pipeline {

constexpr int kRows = 4;  // queries whose sums stay in registers

/** out[r][c] = Σ_d a[r][d] b[d][c] for kRows rows and C vectors of columns. */
template <int W, int C>
PIPELINE_INLINE void tile(const float* a, int64_t aStride, const float* b, int64_t bStride, int64_t depth, float* out,
                          int64_t outStride) {
  F<W> total[kRows][C] = {};
  for (int64_t d = 0; d < depth; d++) {
    F<W> columns[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) columns[c] = load<W>(b + d * bStride + c * W);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; r++) {
      const F<W> value = splatFrom<W>(a + r * aStride + d);
#pragma GCC unroll 8
      for (int c = 0; c < C; c++) total[r][c] += value * columns[c];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; r++)
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) store<W>(out + r * outStride + c * W, total[r][c]);
}

/** A product of kRows rows by any number of whole vectors of columns. */
template <int W>
PIPELINE_INLINE void product(const float* a, int64_t aStride, const float* b, int64_t bStride, int64_t depth, float* out,
                             int64_t outStride, int64_t columns) {
  constexpr int kWide = W == 16 ? 4 : 2;
  int64_t c = 0;
  for (; c + kWide * W <= columns; c += kWide * W) tile<W, kWide>(a, aStride, b + c, bStride, depth, out + c, outStride);
  for (; c < columns; c += W) tile<W, 1>(a, aStride, b + c, bStride, depth, out + c, outStride);
}

/**
 * (row + bias) · scale, padded with zeros to `width`; zeros alone where the row is not real. Asks for what follows the row in
 * memory, which is the next head's and the next piece's: rows lie too far apart for processors to foresee it.
 */
template <int W>
PIPELINE_INLINE void copyRow(const float* row, const float* bias, float scale, int64_t size, bool real, float* to,
                             int64_t width) {
  for (int64_t d = 0; d < width; d += W) {
    const int64_t left = real ? size - d : 0, room = width - d;
    F<W> value = left >= W ? load<W>(row + d) : loadPart<W>(row + d, left);
    if (bias && left > 0) value += left >= W ? load<W>(bias + d) : loadPart<W>(bias + d, left);
    value *= scale;
    if (room >= W) store<W>(to + d, value);
    else storePart<W>(to + d, value, room);
    if (left > 0) __builtin_prefetch(row + size + d);
  }
}

/** Scores [lo, hi) of a row become weights with largest 1; the rest of [begin, end) becomes 0. Returns their sum. */
template <int W>
PIPELINE_INLINE float weigh(float* scores, int64_t begin, int64_t end, int64_t lo, int64_t hi, float cap) {
  const float lowest = -std::numeric_limits<float>::infinity();
  for (int64_t j = begin; j < lo; j++) scores[j] = lowest;
  for (int64_t j = hi; j < end; j++) scores[j] = lowest;
  F<W> most = splat<W>(lowest);
  for (int64_t j = begin; j < end; j += W) {
    F<W> score = load<W>(scores + j);
    if (cap > 0) {
      // tanh u = 1 - 2 / (1 + e^2u); masked scores stay at -inf
      const F<W> capped = (1.f - 2.f / (exponential<W>(score * (2.f / cap)) + 1.f)) * cap;
      score = score == lowest ? score : capped;
      store<W>(scores + j, score);
    }
    most = larger<W>(most, score);
  }
  const float top = largest<W>(most);
  F<W> total = F<W>{};
  for (int64_t j = begin; j < end; j += W) {
    const F<W> weight = exponential<W>(load<W>(scores + j) - top);
    store<W>(scores + j, weight);
    total += weight;
  }
  return sum<W>(total);
}

}  // namespace pipeline
