/** The layers of a pass, apart from it so that each is compiled once. */
#include "pass_layer.h"

#include "gelu.h"
#include "gemm.h"

namespace pipeline {
namespace {

template <int W>
PIPELINE_INLINE F<W> activated(F<W> u, Activation kind) {
  if (kind == kErfGelu) return geluErf<W>(u);
  if (kind == kTanhGelu) return geluTanh<W>(u);
  if (kind == kSilu) return u / (exponential<W>(-u) + 1.f);
  return u > 0.f ? u : F<W>{};
}

template <int W>
PIPELINE_INLINE void writeTile(const Layer& layer, const Target& target, const float* c, int64_t row0, int64_t rows, int64_t column,
                               int64_t vectors) {
  for (int64_t i = 0; i < rows; i++) {
    float* const y = target.y + (target.rows ? target.rows[row0 + i] : row0 + i) * target.stride + column;
    for (int64_t v = 0; v < vectors; v++) {
      const int64_t left = layer.outputs - column - v * W;
      const bool full = left >= W;
      F<W> value = load<W>(c + i * kPanel<W> + v * W);
      if (layer.bias) value += full ? load<W>(layer.bias + column + v * W) : loadPart<W>(layer.bias + column + v * W, left);
      if (target.after == kAddSums) value = (full ? load<W>(y + v * W) : loadPart<W>(y + v * W, left)) + value;
      if (target.after == kActivateSums) value = activated<W>(value, target.activation);
      if (target.after == kGateSums)
        value = activated<W>(full ? load<W>(y + v * W) : loadPart<W>(y + v * W, left), target.activation) * value;
      if (full) store<W>(y + v * W, value);
      else storePart<W>(y + v * W, value, left);
    }
  }
}

template <int W, int V>
PIPELINE_INLINE void multiplyPanel(const float* a, int64_t rows, const Layer& layer, int64_t panel, float* c, const Target& target) {
  constexpr int R = kTileRows<W>;
  const int64_t depth = layer.inputs, tiles = (rows + R - 1) / R;
  const float* const b = layer.packed + panel * kPanel<W> * depth;
  for (int64_t from = 0; from < depth; from += kDepth<W>) {
    const int64_t to = from + kDepth<W> < depth ? from + kDepth<W> : depth;
    for (int64_t tile = 0; tile < tiles; tile++) {
      float* const sums = c + tile * R * kPanel<W>;
      multiplyTile<W, V>(a + (tile * depth + from) * R, b + from * kPanel<W>, to - from, sums, from == 0);
      if (to < depth) continue;
      const int64_t left = rows - tile * R;
      writeTile<W>(layer, target, sums, tile * R, left < R ? left : R, panel * kPanel<W>, V);
    }
  }
}

template <int W>
PIPELINE_INLINE void layerColumns(const LayerWork& work, int64_t first, int64_t last) {
  const Layer& layer = work.layer;
  if (work.rows == 0) return;
  packTiles<W>(work.x, layer.inputs, work.rows, layer.inputs, work.memory);
  float* const c = work.memory + (work.rows + kTileRows<W> - 1) / kTileRows<W> * kTileRows<W> * layer.inputs;
  for (int64_t panel = first / kPanel<W>; panel * kPanel<W> < last; panel++) {
    const int64_t left = layer.outputs - panel * kPanel<W>;
    if (left > 2 * W) multiplyPanel<W, 3>(work.memory, work.rows, layer, panel, c, work.target);
    else if (left > W) multiplyPanel<W, 2>(work.memory, work.rows, layer, panel, c, work.target);
    else multiplyPanel<W, 1>(work.memory, work.rows, layer, panel, c, work.target);
  }
}
PIPELINE_KERNEL(multiplyColumns, layerColumns, LayerWork)

}  // namespace

int64_t layerScratch(int64_t rows, int64_t depth) {
  const int64_t tile = tileRows();
  return (rows + tile - 1) / tile * tile * (depth + panelColumns());
}

void multiplyLayer(const LayerWork& work, int64_t first, int64_t last) { multiplyColumns(work, first, last); }

}  // namespace pipeline
