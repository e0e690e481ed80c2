/**
 * A linear layer in bfloat16 with float32 sums: y = after(x W + bias), where `after` is nothing, a GELU, or the sum
 * with a residual. Weights are packed once and kept under an id until `release` (TypeScript does so when it disposes the
 * weight's memory); activations are rounded to bfloat16 a group of rows at a time, in cache.
 */
#include "bf16_kernel.h"
#include "gelu.h"
#include "op.h"
#include "packed.h"
#include "threads.h"

#if PIPELINE_X86

namespace pipeline {
namespace {

enum After : int64_t { kNothing = 0, kGeluErf = 1, kGeluTanh = 2 };

struct LinearArgs {
  const float* x;
  const uint16_t* weight;  // packed
  const float* bias;       // null for none
  const float* residual;   // null for none
  float* y;
  int64_t rows, inputs, outputs, groupRows;
  After after;
};

/** Adds what follows the product to a finished block and writes it out. */
PIPELINE_BF16 void finish(const LinearArgs& args, float* c, int64_t row0, int64_t column0) {
  const int64_t rows = std::min(kBlock, args.rows - row0), columns = std::min(kBlock, args.outputs - column0);
  for (int64_t row = 0; row < rows; row++) {
    const int64_t at = (row0 + row) * args.outputs + column0;
    for (int half = 0; half < 2; half++) {
      const int64_t left = columns - half * 16;
      if (left <= 0) break;
      const __mmask16 mask = left >= 16 ? 0xffff : (1u << left) - 1;
      F<16> value = load<16>(blockRow(c, row, half));
      if (args.bias) value += reinterpret_cast<F<16>>(_mm512_maskz_loadu_ps(mask, args.bias + column0 + half * 16));
      if (args.after == kGeluErf) value = geluErf<16>(value);
      if (args.after == kGeluTanh) value = geluTanh<16>(value);
      if (args.residual) value = reinterpret_cast<F<16>>(_mm512_maskz_loadu_ps(mask, args.residual + at + half * 16)) + value;
      float* const y = args.y + at + half * 16;
      if (mask == 0xffff && reinterpret_cast<uintptr_t>(y) % 64 == 0) _mm512_stream_ps(y, reinterpret_cast<__m512>(value));
      else _mm512_mask_storeu_ps(y, mask, reinterpret_cast<__m512>(value));
    }
  }
}

/** What `multiplyGroup` calls for each finished block of a group of rows. */
struct Finish {
  const LinearArgs& args;
  int64_t first;
  PIPELINE_BF16 void operator()(float* c, int64_t block, int64_t panel) const {
    finish(args, c, first + block * kBlock, panel * kBlock);
  }
};

template <class Product>
PIPELINE_BF16 void linearGroups(const Product& product, const LinearArgs& args, int64_t begin, int64_t end) {
  float* const memory = scratch(groupScratch(blocksOf(args.groupRows), blocksOf(args.inputs)));
  for (int64_t group = begin; group < end; group++) {
    const int64_t first = group * args.groupRows, rows = std::min(args.groupRows, args.rows - first);
    multiplyGroup(product, args.x + first * args.inputs, rows, args.inputs, args.weight, blocksOf(args.outputs), memory,
                  Finish{args, first});
  }
  _mm_sfence();  // the streamed stores, before other threads are told that this is done
}
PIPELINE_BF16_KERNEL(linearRows, linearGroups, LinearArgs)

struct Linear {
  bool transposed;
  After after;
  explicit Linear(Attributes& attributes)
      : transposed(attributes.flag("transposed")), after(static_cast<After>(attributes.integer("after"))) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0), weight = call.input(1), bias = call.input(2), residual = call.input(3);
    const Tensor id = call.input(4);
    require(hasBf16(), "linear: this processor has no bfloat16 products.");
    require(x.rank() >= 1 && weight.rank() == 2, "linear: x must have an axis and the weight two.");
    const int64_t inputs = x.dim(-1), outputs = weight.dim(transposed ? 0 : 1);
    require(weight.dim(transposed ? 1 : 0) == inputs,
            "linear: x has " + std::to_string(inputs) + " columns, but the weight takes " +
                std::to_string(weight.dim(transposed ? 1 : 0)) + ".");
    require(bias.size() == 0 || bias.size() == outputs, "linear: the bias must be one row of outputs.");
    require(id.size() == 1, "linear: the id must be one number.");
    std::vector<int64_t> shape = x.shape();
    shape.back() = outputs;
    const int64_t rows = x.rows();
    require(residual.size() == 0 || residual.size() == rows * outputs, "linear: the residual must have the output's shape.");
    const Tensor y = call.floats(0, shape);
    if (rows == 0 || outputs == 0) return;
    const auto packed = packedWeight(id.ints()[0], weight.floats(), inputs, outputs, transposed);

    const int64_t sharing = std::max<int64_t>(1, blocksOf(rows) / (2 * threadCount()));
    const LinearArgs args{x.floats(),
                          packed->data(),
                          bias.size() ? bias.floats() : nullptr,
                          residual.size() ? residual.floats() : nullptr,
                          y.floats(),
                          rows,
                          inputs,
                          outputs,
                          std::min(kGroupBlocks, sharing) * kBlock,
                          after};
    parallel((rows + args.groupRows - 1) / args.groupRows, 1,
             [&](int64_t begin, int64_t end) { linearRows(args, begin, end); });
  }
};
PIPELINE_OP(Linear, "PipelineLinear", {"transposed: bool", "after: int"},
            {"x: float", "weight: float", "bias: float", "residual: float", "id: int32"}, {"y: float"});

}  // namespace
}  // namespace pipeline
#endif
