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

/** Depth of a panel that stays in the first cache, found by trial. */
constexpr int64_t kDepth = 192;

/** Floats of scratch memory that `multiplyGroup` needs for a group of so many rows. */
template <int W>
PIPELINE_INLINE int64_t groupScratch(int64_t rows, int64_t depth) {
  constexpr int R = kTileRows<W>;
  return (rows + R - 1) / R * R * (depth + kPanel<W>);
}

/**
 * The products of `rows` rows of x [rows, depth] with packed panels, tile by tile: calls `finish(c, row, panel)` for each
 * finished tile of sums, panels in ascending order.
 */
template <int W, class Finish>
PIPELINE_INLINE void multiplyGroup(const float* x, int64_t rows, int64_t depth, const float* panels, int64_t count,
                                   float* memory, const Finish& finish) {
  constexpr int R = kTileRows<W>;
  const int64_t tiles = (rows + R - 1) / R;
  float* const a = memory;
  float* const c = a + tiles * R * depth;
  packTiles<W>(x, depth, rows, depth, a);
  for (int64_t panel = 0; panel < count; panel++)
    for (int64_t from = 0; from < depth; from += kDepth) {
      const int64_t to = from + kDepth < depth ? from + kDepth : depth;
      const float* b = panels + (panel * depth + from) * kPanel<W>;
      for (int64_t tile = 0; tile < tiles; tile++) {
        float* const sums = c + tile * R * kPanel<W>;
        multiplyTile<W>(a + (tile * depth + from) * R, b, to - from, sums, from == 0);
        if (to == depth) finish(sums, tile * R, panel);
      }
    }
}

/** Columns of a panel at the level in use. */
inline int64_t panelColumns() {
#if PIPELINE_X86
  return isa() >= Isa::avx512 ? kPanel<16> : isa() >= Isa::avx2 ? kPanel<8> : kPanel<4>;
#else
  return kPanel<4>;
#endif
}

/** Rows of a group, so that as many groups as make the threads end together have rows that fit the second cache. */
inline int64_t groupRowsFor(int64_t rows, int64_t depth, int64_t threads) {
  const int64_t fitting = (512 << 10) / (depth * 4) / 8 * 8, most = fitting < 8 ? 8 : fitting;
  const int64_t groups = (rows + most * threads - 1) / (most * threads) * threads;
  return ((rows + groups - 1) / groups + 7) / 8 * 8;
}

}  // namespace pipeline
