/**
 * A linear layer in bfloat16 with float32 sums. Weights are packed once and kept under an id until `release` (TypeScript does so
 * when it disposes the weight's memory); activations are rounded to bfloat16 a group of rows at a time, in cache.
 */
#include "linear.h"

#include "bf16_kernel.h"
#include "packed.h"
#include "threads.h"

#if PIPELINE_X86

namespace pipeline {
namespace {

struct LinearArgs {
  const LinearLayer& layer;
  const uint16_t* weight;  // packed
  int64_t groupRows;
};

/** What `multiplyGroup` calls for each finished block of a group of rows. */
struct Finish {
  const LinearLayer& layer;
  int64_t first;
  PIPELINE_BF16 void operator()(float* c, int64_t block, int64_t panel) const {
    finishBlock(layer, c, first + block * kBlock, panel * kBlock);
  }
};

template <class Product>
PIPELINE_BF16 void linearGroups(const Product& product, const LinearArgs& args, int64_t begin, int64_t end) {
  const LinearLayer& layer = args.layer;
  float* const memory = scratch(groupScratch(blocksOf(args.groupRows), blocksOf(layer.inputs)));
  for (int64_t group = begin; group < end; group++) {
    const int64_t first = group * args.groupRows, rows = std::min(args.groupRows, layer.rows - first);
    multiplyGroup(product, layer.x + first * layer.inputs, rows, layer.inputs, args.weight, blocksOf(layer.outputs), memory,
                  Finish{layer, first});
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
    require(hasBf16(), "linear: this processor has no bfloat16 products.");
    const LinearCall read = readLinear(call, transposed, after);
    const LinearLayer& layer = read.layer;
    const Tensor id = call.input(4);
    require(id.size() == 1, "linear: the id must be one number.");
    if (read.y.size() == 0) return;
    const auto packed = packedWeight(id.ints()[0], layer.weight, layer.inputs, layer.outputs, transposed);
    const int64_t sharing = std::max<int64_t>(1, blocksOf(layer.rows) / (2 * threadCount()));
    const LinearArgs args{layer, packed->data(), std::min(kGroupBlocks, sharing) * kBlock};
    parallel((layer.rows + args.groupRows - 1) / args.groupRows, 1,
             [&](int64_t begin, int64_t end) { linearRows(args, begin, end); });
  }
};
PIPELINE_OP(Linear, "PipelineLinear", {"transposed: bool", "after: int"},
            {"x: float", "weight: float", "bias: float", "residual: float", "id: int32"}, {"y: float"});

}  // namespace
}  // namespace pipeline
#endif
