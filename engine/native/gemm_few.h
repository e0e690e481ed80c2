/**
 * Float32 products of one to four rows with a weight that is read as it lies in memory, once and in the order in which it lies:
 * such products wait for memory, and what packing writes would only be read once. Each sum runs along the depth in order with
 * one rounding a step, as those of gemm.h, so that a row's result does not depend on how many come with it.
 */
#pragma once
#include "gemm.h"

namespace pipeline {

/** Rows up to which a weight is read as it lies. Kernels are for one row and for as many as this: others compute the last again. */
constexpr int kFewestRows = 4;

/** The rows of x. */
template <int R>
struct FewRows {
  const float* at[R];
  FewRows(const float* x, int64_t rows, int64_t depth) {
    for (int64_t r = 0; r < R; r++) at[r] = x + (r < rows ? r : rows - 1) * depth;
  }
};

/** c [R, vectors of columns] += columns [d, d + D) of x times as many rows of the weight. Rows of c are `apart` floats apart. */
template <int W, int R, int D>
PIPELINE_INLINE void addRows(const FewRows<R>& x, int64_t d, const float* weight, int64_t stride, int64_t whole, float* c,
                             int64_t apart) {
  for (int64_t column = 0; column < whole; column += W) {
    F<W> rows[D];
#pragma GCC unroll 8
    for (int i = 0; i < D; i++) {
      const float* const from = weight + i * stride + column;
      __builtin_prefetch(from + D * stride);
      rows[i] = load<W>(from);
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
      F<W> sum = load<W>(c + r * apart + column);
#pragma GCC unroll 8
      for (int i = 0; i < D; i++) sum += splatFrom<W>(x.at[r] + d + i) * rows[i];
      store<W>(c + r * apart + column, sum);
    }
  }
}

/** c = x [R, depth] times `width` columns of a weight whose rows are `stride` apart; a last vector that is not whole ends in zeros. */
template <int W, int R>
PIPELINE_INLINE void multiplyStrip(const FewRows<R>& x, int64_t depth, const float* weight, int64_t stride, int64_t width, float* c,
                                   int64_t apart) {
  constexpr int D = R == 1 ? 8 : 4;  // rows of the weight that there are registers for
  std::memset(c, 0, static_cast<size_t>(R * apart) * 4);
  const int64_t whole = width / W * W;
  int64_t d = 0;
  for (; d + D <= depth; d += D) addRows<W, R, D>(x, d, weight + d * stride, stride, whole, c, apart);
  for (; d < depth; d++) addRows<W, R, 1>(x, d, weight + d * stride, stride, whole, c, apart);
  if (whole == width) return;
  F<W> sums[R] = {};
  for (d = 0; d < depth; d++) {
    const F<W> row = loadPart<W>(weight + d * stride + whole, width - whole);
    for (int r = 0; r < R; r++) sums[r] += splatFrom<W>(x.at[r] + d) * row;
  }
  for (int r = 0; r < R; r++) store<W>(c + r * apart + whole, sums[r]);
}

/** c [R, V] = x [R, depth] times `count` rows of a weight [outputs, depth]; columns beyond these hold the last again. */
template <int V, int R>
PIPELINE_INLINE void multiplyTurned(const FewRows<R>& x, int64_t depth, const float* weight, int64_t count, float* c, int64_t apart) {
  const FewRows<V> from(weight, count, depth);
  F<V> sums[R] = {};
  int64_t d = 0;
  for (; d + V <= depth; d += V) {
    F<V> rows[V];
#pragma GCC unroll 8
    for (int i = 0; i < V; i++) {
      if (d % 16 == 0) __builtin_prefetch(from.at[i] + d + V * depth);
      rows[i] = load<V>(from.at[i] + d);
    }
    turnSquare(rows);
#pragma GCC unroll 8
    for (int i = 0; i < V; i++)
#pragma GCC unroll 4
      for (int r = 0; r < R; r++) sums[r] += splatFrom<V>(x.at[r] + d + i) * rows[i];
  }
  for (; d < depth; d++) {
    float row[V];
    for (int i = 0; i < V; i++) row[i] = from.at[i][d];
    for (int r = 0; r < R; r++) sums[r] += splatFrom<V>(x.at[r] + d) * load<V>(row);
  }
  for (int r = 0; r < R; r++) store<V>(c + r * apart, sums[r]);
}

template <int W, int R>
PIPELINE_INLINE void multiplyColumns(const float* x, int64_t rows, const WeightView& view, int64_t column, int64_t width, float* c,
                                     int64_t apart) {
  constexpr int V = W < 8 ? W : 8;
  const FewRows<R> few(x, rows, view.depth);
  if (!view.transposed)
    return multiplyStrip<W, R>(few, view.depth, view.weight + column, view.columns, width, c, apart);
  for (int64_t i = 0; i < width; i += V)
    multiplyTurned<V, R>(few, view.depth, view.weight + (column + i) * view.depth, width - i, c + i, apart);
}

/**
 * c = x [rows, depth] times columns [column, column + width) of a weight, for one to four rows. Rows of c are `apart` floats apart, at
 * least `width` and W more; there are four of them, or one for one row.
 */
template <int W>
PIPELINE_INLINE void multiplyFewest(const float* x, int64_t rows, const WeightView& view, int64_t column, int64_t width, float* c,
                                    int64_t apart) {
  if (rows == 1) return multiplyColumns<W, 1>(x, rows, view, column, width, c, apart);
  multiplyColumns<W, kFewestRows>(x, rows, view, column, width, c, apart);
}

}  // namespace pipeline
