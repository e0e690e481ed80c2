/**
 * A linear layer in float32: y = after(x W + bias), where `after` is nothing, a GELU, or the sum with a residual. Weights are
 * packed anew in each call, a slab of columns at a time, so that no second copy of a model is kept; each thread packs the
 * activations of its own rows.
 */
#include <algorithm>

#include "gelu.h"
#include "gemm.h"
#include "op.h"
#include "packed.h"
#include "threads.h"

namespace pipeline {
namespace {

enum After : int64_t { kNothing = 0, kGeluErf = 1, kGeluTanh = 2 };

struct LinearArgs {
  const float* x;
  const float* weight;
  const float* bias;      // null for none
  const float* residual;  // null for none
  float* y;
  float* slab;            // packed panels of the columns at hand
  int64_t rows, inputs, outputs, groupRows;
  int64_t column, columns;  // the slab's first column, and how many it has
  bool transposed;
  After after;
};

// What stays in a core's caches: of a panel of weights this depth in the first, of the activations these bytes in the second.
constexpr int64_t kDepth = 192;
constexpr int64_t kGroupBytes = 512 << 10;
constexpr int64_t kSlabBytes = 16 << 20;

template <int W>
PIPELINE_INLINE void packPanels(const LinearArgs& args, int64_t begin, int64_t end) {
  for (int64_t panel = begin; panel < end; panel++)
    packPanel<W>(args.weight, args.inputs, args.outputs, args.transposed, args.column + panel * kPanel<W>,
                 args.slab + panel * kPanel<W> * args.inputs);
}
PIPELINE_KERNEL(pack, packPanels, LinearArgs)

template <int W>
PIPELINE_INLINE void finishTile(const LinearArgs& args, const float* c, int64_t row0, int64_t column) {
  const int64_t rows = std::min<int64_t>(kTileRows<W>, args.rows - row0);
  for (int64_t row = 0; row < rows; row++)
    for (int v = 0; v < 3; v++) {
      const int64_t first = column + v * W, left = args.outputs - first;
      if (left <= 0) break;
      const int64_t at = (row0 + row) * args.outputs + first;
      F<W> value = load<W>(c + row * kPanel<W> + v * W);
      if (args.bias) value += left >= W ? load<W>(args.bias + first) : loadPart<W>(args.bias + first, left);
      if (args.after == kGeluErf) value = geluErf<W>(value);
      if (args.after == kGeluTanh) value = geluTanh<W>(value);
      if (args.residual) value = (left >= W ? load<W>(args.residual + at) : loadPart<W>(args.residual + at, left)) + value;
      if (left >= W) store<W>(args.y + at, value);
      else storePart<W>(args.y + at, value, left);
    }
}

template <int W>
PIPELINE_INLINE void multiplyGroups(const LinearArgs& args, int64_t begin, int64_t end) {
  constexpr int R = kTileRows<W>;
  const int64_t panels = (args.columns + kPanel<W> - 1) / kPanel<W>;
  const int64_t most = (args.groupRows + R - 1) / R;
  float* const a = scratch(most * R * (args.inputs + kPanel<W>));
  float* const c = a + most * R * args.inputs;
  for (int64_t group = begin; group < end; group++) {
    const int64_t first = group * args.groupRows, rows = std::min(args.groupRows, args.rows - first);
    const int64_t tiles = (rows + R - 1) / R;
    packTiles<W>(args.x + first * args.inputs, args.inputs, rows, args.inputs, a);
    for (int64_t panel = 0; panel < panels; panel++)
      for (int64_t from = 0; from < args.inputs; from += kDepth) {
        const int64_t to = std::min(from + kDepth, args.inputs);
        const float* b = args.slab + (panel * args.inputs + from) * kPanel<W>;
        for (int64_t tile = 0; tile < tiles; tile++) {
          float* const sums = c + tile * R * kPanel<W>;
          multiplyTile<W>(a + (tile * args.inputs + from) * R, b, to - from, sums, from == 0);
          if (to == args.inputs) finishTile<W>(args, sums, first + tile * R, args.column + panel * kPanel<W>);
        }
      }
  }
}
PIPELINE_KERNEL(multiply, multiplyGroups, LinearArgs)

/** Columns of a panel at the level in use. */
int64_t panelColumns() {
#if PIPELINE_X86
  return isa() >= Isa::avx512 ? kPanel<16> : isa() >= Isa::avx2 ? kPanel<8> : kPanel<4>;
#else
  return kPanel<4>;
#endif
}

struct LinearFloat {
  bool transposed;
  After after;
  explicit LinearFloat(Attributes& attributes)
      : transposed(attributes.flag("transposed")), after(static_cast<After>(attributes.integer("after"))) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0), weight = call.input(1), bias = call.input(2), residual = call.input(3);
    require(x.rank() >= 1 && weight.rank() == 2, "linear: x must have an axis and the weight two.");
    const int64_t inputs = x.dim(-1), outputs = weight.dim(transposed ? 0 : 1);
    require(weight.dim(transposed ? 1 : 0) == inputs,
            "linear: x has " + std::to_string(inputs) + " columns, but the weight takes " +
                std::to_string(weight.dim(transposed ? 1 : 0)) + ".");
    require(bias.size() == 0 || bias.size() == outputs, "linear: the bias must be one row of outputs.");
    std::vector<int64_t> shape = x.shape();
    shape.back() = outputs;
    const int64_t rows = x.rows();
    require(residual.size() == 0 || residual.size() == rows * outputs, "linear: the residual must have the output's shape.");
    const Tensor y = call.floats(0, shape);
    if (rows == 0 || outputs == 0 || inputs == 0) {
      require(inputs > 0 || y.size() == 0, "linear: x has no columns.");
      return;
    }
    const int64_t panel = panelColumns();
    const int64_t slabPanels = std::max<int64_t>(1, kSlabBytes / (panel * inputs * 4));
    const int64_t columns = std::min(slabPanels * panel, (outputs + panel - 1) / panel * panel);
    // As many groups as make the threads end together, of rows that fit the cache.
    const int64_t fitting = std::max<int64_t>(8, kGroupBytes / (inputs * 4) / 8 * 8), threads = threadCount();
    const int64_t groups = (rows + fitting * threads - 1) / (fitting * threads) * threads;
    const int64_t groupRows = ((rows + groups - 1) / groups + 7) / 8 * 8;
    LinearArgs args{x.floats(), weight.floats(), bias.size() ? bias.floats() : nullptr,
                    residual.size() ? residual.floats() : nullptr, y.floats(), sharedScratch(columns * inputs),
                    rows, inputs, outputs, groupRows, 0, 0, transposed, after};
    for (; args.column < outputs; args.column += columns) {
      args.columns = std::min(columns, outputs - args.column);
      parallel((args.columns + panel - 1) / panel, 1, [&](int64_t begin, int64_t end) { pack(args, begin, end); });
      parallel((rows + groupRows - 1) / groupRows, 1, [&](int64_t begin, int64_t end) { multiply(args, begin, end); });
    }
  }
};
PIPELINE_OP(LinearFloat, "PipelineLinearFloat", {"transposed: bool", "after: int"},
            {"x: float", "weight: float", "bias: float", "residual: float"}, {"y: float"});

}  // namespace
}  // namespace pipeline
