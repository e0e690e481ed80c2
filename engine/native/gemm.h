/**
 * Float32 products from packed operands. A tile is kTileRows rows by three vectors of columns whose sums stay in registers;
 * each sum runs along the depth in order, so that a value does not depend on how the work was cut.
 *
 *   A  [rows / kTileRows][depth][kTileRows]           B  [columns / panel][depth][panel],  panel = 3 W columns
 *
 * Edges are padded with zeros.
 */
#pragma once
#include "turn.h"

namespace pipeline {

/** Tile rows that leave room for two or more vectors of B and a broadcast in the register file. */
template <int W>
constexpr int kTileRows = W == 16 ? 8 : 4;
template <int W>
constexpr int kPanel = 3 * W;

/**
 * c (+)= a b over `depth`; c is a tile of kTileRows rows, kPanel apart. `first` starts from zero. V is how many of the panel's
 * vectors are needed.
 */
template <int W, int V = 3>
PIPELINE_INLINE void multiplyTile(const float* a, const float* b, int64_t depth, float* c, bool first) {
  constexpr int R = kTileRows<W>;
  F<W> sums[R][V];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 3
    for (int v = 0; v < V; v++) sums[r][v] = first ? F<W>{} : load<W>(c + r * kPanel<W> + v * W);
  for (int64_t d = 0; d < depth; d++) {
    F<W> columns[V];
#pragma GCC unroll 3
    for (int v = 0; v < V; v++) columns[v] = load<W>(b + d * kPanel<W> + v * W);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      const F<W> value = splatFrom<W>(a + d * R + r);
#pragma GCC unroll 3
      for (int v = 0; v < V; v++) sums[r][v] += value * columns[v];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 3
    for (int v = 0; v < V; v++) store<W>(c + r * kPanel<W> + v * W, sums[r][v]);
}

/** Packs `rows` rows of a matrix as tiles of A. */
template <int W>
PIPELINE_INLINE void packTiles(const float* x, int64_t stride, int64_t rows, int64_t depth, float* packed) {
  constexpr int R = kTileRows<W>;
  for (int64_t row = 0; row < rows; row += R)
    turnRows<(R < 8 ? R : 8)>(x + row * stride, stride, rows - row, R, depth, packed + row * depth, R);
}

/** Depth of a panel that stays in the first cache, found by trial. */
template <int W>
constexpr int64_t kDepth = W == 16 ? 192 : 256;

/** A weight [depth, columns], or [columns, depth] when transposed. */
struct WeightView {
  const float* weight;
  int64_t depth, columns;
  bool transposed;
};

/** Packs the part [from, to) of the depth of columns [column, column + panel) as B. */
template <int W>
PIPELINE_INLINE void packPart(const WeightView& view, int64_t column, int64_t from, int64_t to, float* packed) {
  const int64_t count = view.columns - column < kPanel<W> ? view.columns - column : kPanel<W>;
  if (view.transposed)
    return turnRows<(W < 8 ? W : 8)>(view.weight + column * view.depth + from, view.depth, count, kPanel<W>, to - from, packed,
                                     kPanel<W>);
  for (int64_t d = from; d < to; d++, packed += kPanel<W>) {
    const float* const row = view.weight + d * view.columns + column;
    if (count == kPanel<W>)
#pragma GCC unroll 3
      for (int v = 0; v < 3; v++) store<W>(packed + v * W, load<W>(row + v * W));
    else
      for (int64_t i = 0; i < kPanel<W>; i++) packed[i] = i < count ? row[i] : 0.f;
  }
}

/**
 * Packs the part [from, to) of the depth of `count` panels from `column` on, kDepth rows of B apart. Of a weight that is read along its
 * rows all panels' columns are taken at once, and asked for ahead: such rows lie on pages of their own.
 */
template <int W>
PIPELINE_INLINE void packParts(const WeightView& view, int64_t column, int64_t count, int64_t from, int64_t to, float* packed) {
  constexpr int64_t P = kPanel<W>, ahead = 4;
  if (view.transposed || column + count * P > view.columns) {
    for (int64_t i = 0; i < count; i++) packPart<W>(view, column + i * P, from, to, packed + i * P * kDepth<W>);
    return;
  }
  for (int64_t d = from; d < to; d++) {
    const float* const row = view.weight + d * view.columns + column;
    for (int64_t i = 0; i < count; i++)
#pragma GCC unroll 3
      for (int v = 0; v < 3; v++) {
        const float* const at = row + i * P + v * W;
        __builtin_prefetch(at + ahead * view.columns);
        store<W>(packed + (i * kDepth<W> + d - from) * P + v * W, load<W>(at));
      }
  }
}

/** Packs columns [column, column + panel) of a weight [depth, columns], or [columns, depth] when transposed, as B. */
template <int W>
PIPELINE_INLINE void packPanel(const float* weight, int64_t depth, int64_t columns, bool transposed, int64_t column,
                               float* packed) {
  packPart<W>(WeightView{weight, depth, columns, transposed}, column, 0, depth, packed);
}

/** Depth at a time of a group's rows, and the panels that are begun together where there is more of it, found by trial. */
constexpr int64_t kFloatStretch = 1024, kFloatPanels = 32;

/** Floats of scratch memory that `multiplyGroup` needs for a group of so many rows. */
template <int W>
PIPELINE_INLINE int64_t groupScratch(int64_t rows, int64_t depth) {
  constexpr int R = kTileRows<W>;
  return (rows + R - 1) / R * R * (depth + kPanel<W> * (depth > kFloatStretch ? kFloatPanels : 1));
}

/**
 * The products of `rows` rows of x [rows, depth] with packed panels, tile by tile: calls `finish(c, row, panel)` for each
 * finished tile of sums, panels in ascending order. Where the depth is more than a stretch, the rows' part of one stretch meets
 * several panels while it is in the second cache, and the sums that these have so far wait there too.
 */
template <int W, class Finish>
PIPELINE_INLINE void multiplyGroup(const float* x, int64_t rows, int64_t depth, const float* panels, int64_t count,
                                   float* memory, const Finish& finish) {
  constexpr int R = kTileRows<W>;
  const int64_t tiles = (rows + R - 1) / R, stretches = (depth + kFloatStretch - 1) / kFloatStretch;
  const int64_t together = stretches > 1 ? kFloatPanels : 1;
  float* const a = memory;
  float* const c = a + tiles * R * depth;
  packTiles<W>(x, depth, rows, depth, a);
  for (int64_t panel0 = 0; panel0 < count; panel0 += together)
    for (int64_t stretch = 0; stretch < stretches; stretch++) {
      const int64_t start = depth * stretch / stretches, stop = depth * (stretch + 1) / stretches;
      for (int64_t panel = panel0; panel < panel0 + together && panel < count; panel++)
        for (int64_t from = start; from < stop; from += kDepth<W>) {
          const int64_t to = from + kDepth<W> < stop ? from + kDepth<W> : stop;
          const float* b = panels + (panel * depth + from) * kPanel<W>;
          for (int64_t tile = 0; tile < tiles; tile++) {
            float* const sums = c + ((panel - panel0) * tiles + tile) * R * kPanel<W>;
            multiplyTile<W>(a + (tile * depth + from) * R, b, to - from, sums, from == 0);
            if (to == depth) finish(sums, tile * R, panel);
          }
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

/** Rows of a tile at the level in use. */
inline int64_t tileRows() {
#if PIPELINE_X86
  return isa() >= Isa::avx512 ? kTileRows<16> : isa() >= Isa::avx2 ? kTileRows<8> : kTileRows<4>;
#else
  return kTileRows<4>;
#endif
}

/** Rows of a group, so that as many groups as make the threads end together have a stretch of rows that fits the second cache. */
inline int64_t groupRowsFor(int64_t rows, int64_t depth, int64_t threads) {
  const int64_t stretch = depth < kFloatStretch ? depth : kFloatStretch;
  const int64_t fitting = (512 << 10) / (stretch * 4) / 8 * 8, most = fitting < 8 ? 8 : fitting;
  const int64_t groups = (rows + most * threads - 1) / (most * threads) * threads;
  return ((rows + groups - 1) / groups + 7) / 8 * 8;
}

}  // namespace pipeline
