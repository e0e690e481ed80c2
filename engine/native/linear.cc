/**
 * A linear layer in bfloat16 with float32 sums, on AMX: y = after(x W + bias), where `after` is nothing, a GELU, or the sum
 * with a residual. Weights are packed once and kept under an id until `release` (TypeScript does so when it disposes the
 * weight's memory); activations are rounded to bfloat16 a group of rows at a time, in cache.
 */
#include "gelu.h"
#include "op.h"
#include "packed.h"
#include "threads.h"

#if PIPELINE_X86
#include "amx.h"

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

constexpr int64_t kChunk = 16;               // steps of depth whose part of a column panel stays in the first cache
constexpr int64_t kGroupBytes = 1 << 20;     // packed activations of a group, which stay in the second cache

/** Adds what follows the product to a finished block and writes it out. */
PIPELINE_AMX void finish(const LinearArgs& args, float* c, int64_t row0, int64_t column0) {
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
      _mm512_mask_storeu_ps(args.y + at + half * 16, mask, reinterpret_cast<__m512>(value));
    }
  }
}

PIPELINE_AMX void linearGroups(const LinearArgs& args, int64_t begin, int64_t end) {
  const int64_t steps = blocksOf(args.inputs), panels = blocksOf(args.outputs);
  const int64_t chunks = (steps + kChunk - 1) / kChunk;
  const int64_t blockCount = blocksOf(args.groupRows);
  uint16_t* const a = reinterpret_cast<uint16_t*>(
      scratch(blockCount * steps * kStep / 2 + blockCount * kBlockFloats));  // two bfloat16 to a float's room
  float* const c = reinterpret_cast<float*>(a + blockCount * steps * kStep);
  const Tiles tiles;
  for (int64_t group = begin; group < end; group++) {
    const int64_t first = group * args.groupRows, rows = std::min(args.groupRows, args.rows - first);
    const int64_t blocks = blocksOf(rows);
    for (int64_t block = 0; block < blocks; block++)
      packRows(args.x + (first + block * kBlock) * args.inputs, args.inputs, std::min(kBlock, rows - block * kBlock),
               args.inputs, a + block * steps * kStep);
    for (int64_t panel = 0; panel < panels; panel++) {
      for (int64_t chunk = 0; chunk < chunks; chunk++) {
        const int64_t from = steps * chunk / chunks, to = steps * (chunk + 1) / chunks;
        const uint16_t* b = args.weight + (panel * steps + from) * kStep;
        for (int64_t block = 0; block < blocks; block++) {
          float* const block_c = c + block * kBlockFloats;
          multiplyBlock(a + (block * steps + from) * kStep, b, to - from, block_c, chunk == 0);
          if (chunk + 1 == chunks) finish(args, block_c, first + block * kBlock, panel * kBlock);
        }
      }
    }
  }
}

struct Linear {
  bool transposed;
  After after;
  explicit Linear(Attributes& attributes)
      : transposed(attributes.flag("transposed")), after(static_cast<After>(attributes.integer("after"))) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0), weight = call.input(1), bias = call.input(2), residual = call.input(3);
    const Tensor id = call.input(4);
    require(isa() >= Isa::amx, "linear: this processor has no AMX.");
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

    const int64_t rowBytes = blocksOf(inputs) * kBlock * 2;
    const int64_t fitting = std::max<int64_t>(1, kGroupBytes / rowBytes / kBlock);           // in blocks
    const int64_t sharing = std::max<int64_t>(1, blocksOf(rows) / (2 * threadCount()));
    const LinearArgs args{x.floats(),
                          packed->data(),
                          bias.size() ? bias.floats() : nullptr,
                          residual.size() ? residual.floats() : nullptr,
                          y.floats(),
                          rows,
                          inputs,
                          outputs,
                          std::min(fitting, sharing) * kBlock,
                          after};
    parallel((rows + args.groupRows - 1) / args.groupRows, 1,
             [&](int64_t begin, int64_t end) { linearGroups(args, begin, end); });
  }
};
PIPELINE_OP(Linear, "PipelineLinear", {"transposed: bool", "after: int"},
            {"x: float", "weight: float", "bias: float", "residual: float", "id: int32"}, {"y: float"});

}  // namespace
}  // namespace pipeline
#endif
