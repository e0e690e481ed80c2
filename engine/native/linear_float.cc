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

constexpr int64_t kSlabBytes = 16 << 20;  // packed weights at a time

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
    const int64_t groupRows = groupRowsFor(rows, inputs, threadCount());
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
