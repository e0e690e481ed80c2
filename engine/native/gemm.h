/**
 * Float32 products from packed operands. A tile is kTileRows rows by three vectors of columns whose sums stay in registers;
 * each sum runs along the depth in order, so that a value does not depend on how the work was cut.
 *
 *   A  [rows / kTileRows][depth][kTileRows]           B  [columns / panel][depth][panel],  panel = 3 W columns
 *
 * Edges are padded with zeros.
 */
#pragma once
#include "lanes.h"

namespace pipeline {

/** Tile rows that leave room for two or more vectors of B and a broadcast in the register file. */
template <int W>
constexpr int kTileRows = W == 16 ? 8 : 4;
template <int W>
constexpr int kPanel = 3 * W;

/** c (+)= a b over `depth`; c is a tile of kTileRows rows, kPanel apart. `first` starts from zero. */
template <int W>
PIPELINE_INLINE void multiplyTile(const float* a, const float* b, int64_t depth, float* c, bool first) {
  constexpr int R = kTileRows<W>;
  F<W> sums[R][3];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 3
    for (int v = 0; v < 3; v++) sums[r][v] = first ? F<W>{} : load<W>(c + r * kPanel<W> + v * W);
  for (int64_t d = 0; d < depth; d++) {
    F<W> columns[3];
#pragma GCC unroll 3
    for (int v = 0; v < 3; v++) columns[v] = load<W>(b + d * kPanel<W> + v * W);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      const F<W> value = splatFrom<W>(a + d * R + r);
#pragma GCC unroll 3
      for (int v = 0; v < 3; v++) sums[r][v] += value * columns[v];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 3
    for (int v = 0; v < 3; v++) store<W>(c + r * kPanel<W> + v * W, sums[r][v]);
}

/** Packs `rows` rows of a matrix as tiles of A. */
template <int W>
PIPELINE_INLINE void packTiles(const float* x, int64_t stride, int64_t rows, int64_t depth, float* packed) {
  constexpr int R = kTileRows<W>;
  for (int64_t row = 0; row < rows; row += R, packed += R * depth)
    for (int r = 0; r < R; r++)
      if (row + r < rows)
        for (int64_t d = 0; d < depth; d++) packed[d * R + r] = x[(row + r) * stride + d];
      else
        for (int64_t d = 0; d < depth; d++) packed[d * R + r] = 0;
}

/** Packs columns [column, column + panel) of a weight [depth, columns], or [columns, depth] when transposed, as B. */
template <int W>
PIPELINE_INLINE void packPanel(const float* weight, int64_t depth, int64_t columns, bool transposed, int64_t column,
                               float* packed) {
  const int64_t count = columns - column < kPanel<W> ? columns - column : kPanel<W>;
  if (!transposed)
    for (int64_t d = 0; d < depth; d++)
      for (int64_t i = 0; i < kPanel<W>; i++) packed[d * kPanel<W> + i] = i < count ? weight[d * columns + column + i] : 0.f;
  else
    for (int64_t i = 0; i < kPanel<W>; i++)
      for (int64_t d = 0; d < depth; d++) packed[d * kPanel<W> + i] = i < count ? weight[(column + i) * depth + d] : 0.f;
}

}  // namespace pipeline
