/**
 * A linear layer in float32. Weights are packed anew in each call, a slab of columns at a time, so that no second copy of a model is
 * kept; each thread packs the activations of its own rows. Where the rows are few, threads share the columns instead, and weights are
 * packed in cache and read from memory once, or not packed at all (gemm_few.h). All sum in the same order, so that a row's result
 * does not depend on how many come with it. On AMX products are made by thirds (linear_thirds.cc), but for rows that those cannot
 * multiply.
 */
#include <algorithm>

#include "gemm_few.h"
#include "linear.h"
#include "packed.h"
#include "threads.h"

namespace pipeline {
namespace {

struct LinearArgs : LinearLayer {
  float* slab;             // packed panels of the columns at hand
  int64_t groupRows;
  int64_t column, columns;  // the slab's first column, and how many it has
};

constexpr int64_t kSlabBytes = 16 << 20;  // packed weights at a time

template <int W>
PIPELINE_INLINE void packPanels(const LinearArgs& args, int64_t begin, int64_t end) {
  for (int64_t panel = begin; panel < end; panel++)
    packPanel<W>(args.weight, args.inputs, args.outputs, args.transposed, args.column + panel * kPanel<W>,
                 args.slab + panel * kPanel<W> * args.inputs);
}
PIPELINE_KERNEL(pack, packPanels, LinearArgs)

/** What follows the sums of some rows and columns, which lie in c in rows `stride` apart, in vectors that need not be whole. */
template <int W>
PIPELINE_INLINE void finishSums(const LinearArgs& args, const float* c, int64_t stride, int64_t row0, int64_t rows, int64_t column,
                                int64_t width) {
  for (int64_t row = 0; row < rows; row++)
    for (int64_t i = 0; i < width; i += W) {
      const int64_t first = column + i, left = args.outputs - first;
      const int64_t at = (row0 + row) * args.outputs + first;
      F<W> value = load<W>(c + row * stride + i);
      if (args.bias) value += left >= W ? load<W>(args.bias + first) : loadPart<W>(args.bias + first, left);
      if (args.after == kGeluErf) value = geluErf<W>(value);
      if (args.after == kGeluTanh) value = geluTanh<W>(value);
      if (args.residual) value = (left >= W ? load<W>(args.residual + at) : loadPart<W>(args.residual + at, left)) + value;
      if (left >= W) store<W>(args.y + at, value);
      else storePart<W>(args.y + at, value, left);
    }
}

template <int W>
PIPELINE_INLINE void finishTile(const LinearArgs& args, const float* c, int64_t row0, int64_t column) {
  finishSums<W>(args, c, kPanel<W>, row0, std::min<int64_t>(kTileRows<W>, args.rows - row0), column,
                std::min<int64_t>(kPanel<W>, args.outputs - column));
}

/** What `multiplyGroup` calls for each finished tile of a group of rows. */
template <int W>
struct Finish {
  const LinearArgs& args;
  int64_t first;
  PIPELINE_INLINE void operator()(const float* c, int64_t row, int64_t panel) const {
    finishTile<W>(args, c, first + row, args.column + panel * kPanel<W>);
  }
};

template <int W>
PIPELINE_INLINE void multiplyGroups(const LinearArgs& args, int64_t begin, int64_t end) {
  float* const memory = scratch(groupScratch<W>(args.groupRows, args.inputs));
  const int64_t panels = (args.columns + kPanel<W> - 1) / kPanel<W>;
  for (int64_t group = begin; group < end; group++) {
    const int64_t first = group * args.groupRows, rows = std::min(args.groupRows, args.rows - first);
    multiplyGroup<W>(args.x + first * args.inputs, rows, args.inputs, args.slab, panels, memory, Finish<W>{args, first});
  }
}
PIPELINE_KERNEL(multiply, multiplyGroups, LinearArgs)

constexpr int64_t kFewRows = 192;
constexpr int64_t kTogether = 4;  // panels of a piece of work

/** Floats of a piece's memory: a part of the depth of its panels, and the sums of all rows with them. */
template <int W>
PIPELINE_INLINE int64_t pieceScratch(int64_t rows) {
  return kTogether * kPanel<W> * (kDepth<W> + (rows + kTileRows<W> - 1) / kTileRows<W> * kTileRows<W>);
}

/** Packs tiles of the rows into the slab. */
template <int W>
PIPELINE_INLINE void packFewRows(const LinearArgs& args, int64_t begin, int64_t end) {
  const int64_t first = begin * kTileRows<W>, last = std::min(args.rows, end * kTileRows<W>);
  packTiles<W>(args.x + first * args.inputs, args.inputs, last - first, args.inputs, args.slab + first * args.inputs);
}
PIPELINE_KERNEL(packFew, packFewRows, LinearArgs)

/** All rows, which lie packed in the slab, with the panels of some pieces. */
template <int W>
PIPELINE_INLINE void multiplyFewRows(const LinearArgs& args, int64_t begin, int64_t end) {
  constexpr int R = kTileRows<W>;
  const WeightView view{args.weight, args.inputs, args.outputs, args.transposed};
  const int64_t tiles = (args.rows + R - 1) / R, panels = (args.outputs + kPanel<W> - 1) / kPanel<W>;
  float* const b = scratch(pieceScratch<W>(args.rows));
  float* const c = b + kTogether * kPanel<W> * kDepth<W>;
  for (int64_t piece = begin; piece < end; piece++) {
    const int64_t first = piece * kTogether, count = std::min(kTogether, panels - first);
    for (int64_t from = 0; from < args.inputs; from += kDepth<W>) {
      const int64_t to = std::min(args.inputs, from + kDepth<W>);
      packParts<W>(view, first * kPanel<W>, count, from, to, b);
      for (int64_t i = 0; i < count; i++)
        for (int64_t tile = 0; tile < tiles; tile++) {
          float* const sums = c + (i * tiles + tile) * R * kPanel<W>;
          multiplyTile<W>(args.slab + (tile * args.inputs + from) * R, b + i * kPanel<W> * kDepth<W>, to - from, sums, from == 0);
          if (to == args.inputs) finishTile<W>(args, sums, tile * R, (first + i) * kPanel<W>);
        }
    }
  }
}
PIPELINE_KERNEL(multiplyFew, multiplyFewRows, LinearArgs)

/** One to four rows with the weight as it lies, in strips of `columns` columns. */
template <int W>
PIPELINE_INLINE void multiplyStrips(const LinearArgs& args, int64_t begin, int64_t end) {
  const WeightView view{args.weight, args.inputs, args.outputs, args.transposed};
  const int64_t apart = args.columns + W;
  float* const c = scratch(kFewestRows * apart);
  for (int64_t strip = begin; strip < end; strip++) {
    const int64_t column = strip * args.columns, width = std::min(args.columns, args.outputs - column);
    multiplyFewest<W>(args.x, args.rows, view, column, width, c, apart);
    finishSums<W>(args, c, apart, 0, args.rows, column, width);
  }
}
PIPELINE_KERNEL(multiplyFewest, multiplyStrips, LinearArgs)

/** Columns of a strip: long stretches of the weight's rows, yet some strips for each thread. */
int64_t stripColumns(int64_t outputs) {
  const int64_t share = (outputs / (4 * threadCount()) + 31) / 32 * 32;
  return std::min<int64_t>(512, std::max<int64_t>(64, share));
}

struct LinearFloat {
  bool transposed;
  After after;
  explicit LinearFloat(Attributes& attributes)
      : transposed(attributes.flag("transposed")), after(static_cast<After>(attributes.integer("after"))) {}

  void compute(const Call& call) const {
    const LinearCall read = readLinear(call, transposed, after);
    if (read.y.size() == 0) return;
#if PIPELINE_X86
    if (multipliesThirds(read.layer)) return multiplyThirds(read.layer);
#endif
    multiplyFloats(read.layer);
  }
};
PIPELINE_OP(LinearFloat, "PipelineLinearFloat", {"transposed: bool", "after: int"},
            {"x: float", "weight: float", "bias: float", "residual: float"}, {"y: float"});

}  // namespace

void multiplyFloats(const LinearLayer& layer) {
  const int64_t rows = layer.rows, inputs = layer.inputs, outputs = layer.outputs;
  const int64_t panel = panelColumns();
  LinearArgs args{layer, nullptr, groupRowsFor(rows, inputs, threadCount()), 0, 0};
  if (rows <= kFewestRows) {
    args.columns = stripColumns(outputs);
    parallel((outputs + args.columns - 1) / args.columns, 1, [&](int64_t begin, int64_t end) { multiplyFewest(args, begin, end); });
    return;
  }
  if (rows <= kFewRows) {
    const int64_t tile = tileRows(), pieces = (outputs + kTogether * panel - 1) / (kTogether * panel);
    args.slab = sharedScratch((rows + tile - 1) / tile * tile * inputs);
    parallel((rows + tile - 1) / tile, 4, [&](int64_t begin, int64_t end) { packFew(args, begin, end); });
    parallel(pieces, 1, [&](int64_t begin, int64_t end) { multiplyFew(args, begin, end); });
    return;
  }
  const int64_t slabPanels = std::max<int64_t>(1, kSlabBytes / (panel * inputs * 4));
  const int64_t columns = std::min(slabPanels * panel, (outputs + panel - 1) / panel * panel);
  args.slab = sharedScratch(columns * inputs);
  for (; args.column < outputs; args.column += columns) {
    args.columns = std::min(columns, outputs - args.column);
    parallel((args.columns + panel - 1) / panel, 1, [&](int64_t begin, int64_t end) { pack(args, begin, end); });
    parallel((rows + args.groupRows - 1) / args.groupRows, 1, [&](int64_t begin, int64_t end) { multiply(args, begin, end); });
  }
}

}  // namespace pipeline
