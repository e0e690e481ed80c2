/** Turning rows into columns, in squares of four by four or eight by eight floats that lie in registers meanwhile. */
#pragma once
#include "lanes.h"

namespace pipeline {

/** Turns a square of four by four or eight by eight floats in registers: rows[i][j] becomes rows[j][i]. */
PIPELINE_INLINE void turnSquare(F<4>* rows) {
  const F<4> ab = __builtin_shuffle(rows[0], rows[1], I<4>{0, 4, 1, 5}), cd = __builtin_shuffle(rows[2], rows[3], I<4>{0, 4, 1, 5});
  const F<4> ef = __builtin_shuffle(rows[0], rows[1], I<4>{2, 6, 3, 7}), gh = __builtin_shuffle(rows[2], rows[3], I<4>{2, 6, 3, 7});
  rows[0] = __builtin_shuffle(ab, cd, I<4>{0, 1, 4, 5});
  rows[1] = __builtin_shuffle(ab, cd, I<4>{2, 3, 6, 7});
  rows[2] = __builtin_shuffle(ef, gh, I<4>{0, 1, 4, 5});
  rows[3] = __builtin_shuffle(ef, gh, I<4>{2, 3, 6, 7});
}

PIPELINE_INLINE void turnSquare(F<8>* rows) {
  F<8> pairs[8], fours[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = __builtin_shuffle(rows[i], rows[i + 1], I<8>{0, 8, 1, 9, 4, 12, 5, 13});
    pairs[i + 1] = __builtin_shuffle(rows[i], rows[i + 1], I<8>{2, 10, 3, 11, 6, 14, 7, 15});
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    const int from = i / 2 * 4 + i % 2, to = i / 2 * 4 + i % 2 * 2;
    fours[to] = __builtin_shuffle(pairs[from], pairs[from + 2], I<8>{0, 1, 8, 9, 4, 5, 12, 13});
    fours[to + 1] = __builtin_shuffle(pairs[from], pairs[from + 2], I<8>{2, 3, 10, 11, 6, 7, 14, 15});
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    rows[i] = __builtin_shuffle(fours[i], fours[i + 4], I<8>{0, 1, 2, 3, 8, 9, 10, 11});
    rows[i + 4] = __builtin_shuffle(fours[i], fours[i + 4], I<8>{4, 5, 6, 7, 12, 13, 14, 15});
  }
}

/**
 * to[d][i] = from[i][d] for `rows` rows, zeros for the rows up to `all`, which is a multiple of V. Rows of `from` are `stride` apart,
 * those of `to` `toStride`. The rows that follow are asked for ahead: each begins on a page of its own, where nothing foresees it.
 */
template <int V>
PIPELINE_INLINE void turnRows(const float* from, int64_t stride, int64_t rows, int64_t all, int64_t depth, float* to,
                              int64_t toStride) {
  for (int64_t row = 0; row < all; row += V) {
    int64_t d = 0;
    if (row + V <= rows)
      for (; d + V <= depth; d += V) {
        const float* const at = from + row * stride + d;
        F<V> square[V];
#pragma GCC unroll 8
        for (int i = 0; i < V; i++) {
          if (d % 16 == 0) __builtin_prefetch(at + (V + i) * stride);
          square[i] = load<V>(at + i * stride);
        }
        turnSquare(square);
#pragma GCC unroll 8
        for (int i = 0; i < V; i++) store<V>(to + (d + i) * toStride + row, square[i]);
      }
    for (; d < depth; d++)
      for (int64_t i = row; i < row + V; i++) to[d * toStride + i] = i < rows ? from[i * stride + d] : 0.f;
  }
}

}  // namespace pipeline
