/**
 * LayerNorm and RMSNorm over the last axis, with the sum that comes before them in a residual stream:
 *
 *   sum   = x + delta + deltaBias                       (delta and deltaBias may be absent)
 *   scale = sqrt(mean((sum - centre)²) + epsilon)       centre = mean(sum) for LayerNorm, 0 for RMSNorm
 *   y     = (sum - centre) / scale · gain + bias        (gain and bias may be absent)
 */
#include "norm_row.h"
#include "op.h"
#include "threads.h"

namespace pipeline {
namespace {

struct NormArgs {
  const float* x;
  const float* gain;  // null for none
  const float* bias;  // null for none
  float* y;
  float* scale;
  int64_t width;
  float epsilon;
  bool centre;
};

template <int W>
PIPELINE_INLINE void normRows(const NormArgs& args, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; row++)
    args.scale[row] = normRow<W>(args.x + row * args.width, {args.gain, args.bias, args.width, args.epsilon, args.centre},
                                 args.y + row * args.width);
}
PIPELINE_KERNEL(norm, normRows, NormArgs)

struct AddArgs {
  const float* x;
  const float* delta;
  const float* bias;  // null for none
  float* sum;
  int64_t width;
};

template <int W>
PIPELINE_INLINE void addRows(const AddArgs& args, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; row++) {
    const float* x = args.x + row * args.width;
    const float* delta = args.delta + row * args.width;
    float* sum = args.sum + row * args.width;
    for (int64_t i = 0; i < args.width; i++) sum[i] = args.bias ? x[i] + (delta[i] + args.bias[i]) : x[i] + delta[i];
  }
}
PIPELINE_KERNEL(add, addRows, AddArgs)

std::string sizes(const char* what, int64_t wanted, int64_t got) {
  return std::string(what) + " must have " + std::to_string(wanted) + " elements, but it has " + std::to_string(got) + ".";
}

struct Norm {
  float epsilon;
  bool centre;
  explicit Norm(Attributes& attributes) : epsilon(attributes.number("epsilon")), centre(attributes.flag("centre")) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0), gain = call.input(1), bias = call.input(2);
    require(x.rank() >= 1, "norm: x must have an axis.");
    const int64_t width = x.dim(-1);
    require(gain.size() == 0 || gain.size() == width, sizes("norm: gain", width, gain.size()));
    require(bias.size() == 0 || bias.size() == width, sizes("norm: bias", width, bias.size()));
    std::vector<int64_t> scaleShape = x.shape();
    scaleShape.back() = 1;
    const Tensor y = call.floats(0, x.shape()), scale = call.floats(1, scaleShape);
    const NormArgs args{x.floats(), gain.size() ? gain.floats() : nullptr,  bias.size() ? bias.floats() : nullptr,
                        y.floats(), scale.floats(), width, epsilon, centre};
    parallel(x.rows(), 1 + 8192 / (width + 1), [&](int64_t begin, int64_t end) { norm(args, begin, end); });
  }
};
PIPELINE_OP(Norm, "PipelineNorm", {"epsilon: float", "centre: bool"}, {"x: float", "gain: float", "bias: float"},
            {"y: float", "scale: float"});

struct AddNorm {
  float epsilon;
  bool centre;
  explicit AddNorm(Attributes& attributes) : epsilon(attributes.number("epsilon")), centre(attributes.flag("centre")) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0), delta = call.input(1), deltaBias = call.input(2);
    const Tensor gain = call.input(3), bias = call.input(4);
    require(x.rank() >= 1, "addNorm: x must have an axis.");
    const int64_t width = x.dim(-1);
    require(delta.size() == x.size(), sizes("addNorm: delta", x.size(), delta.size()));
    require(deltaBias.size() == 0 || deltaBias.size() == width, sizes("addNorm: deltaBias", width, deltaBias.size()));
    require(gain.size() == 0 || gain.size() == width, sizes("addNorm: gain", width, gain.size()));
    require(bias.size() == 0 || bias.size() == width, sizes("addNorm: bias", width, bias.size()));
    std::vector<int64_t> scaleShape = x.shape();
    scaleShape.back() = 1;
    const Tensor sum = call.floats(0, x.shape()), y = call.floats(1, x.shape()), scale = call.floats(2, scaleShape);
    const AddArgs adding{x.floats(), delta.floats(), deltaBias.size() ? deltaBias.floats() : nullptr, sum.floats(), width};
    const NormArgs args{sum.floats(), gain.size() ? gain.floats() : nullptr,  bias.size() ? bias.floats() : nullptr,
                        y.floats(),   scale.floats(), width, epsilon, centre};
    parallel(x.rows(), 1 + 8192 / (width + 1), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; row++) {
        add(adding, row, row + 1);
        norm(args, row, row + 1);
      }
    });
  }
};
PIPELINE_OP(AddNorm, "PipelineAddNorm", {"epsilon: float", "centre: bool"},
            {"x: float", "delta: float", "delta_bias: float", "gain: float", "bias: float"},
            {"sum: float", "y: float", "scale: float"});

struct AddBias {
  explicit AddBias(Attributes&) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0), delta = call.input(1), bias = call.input(2);
    require(x.rank() >= 1, "addBias: x must have an axis.");
    const int64_t width = x.dim(-1);
    require(delta.size() == x.size(), sizes("addBias: delta", x.size(), delta.size()));
    require(bias.size() == 0 || bias.size() == width, sizes("addBias: bias", width, bias.size()));
    const Tensor sum = call.floats(0, x.shape());
    const AddArgs args{x.floats(), delta.floats(), bias.size() ? bias.floats() : nullptr, sum.floats(), width};
    parallel(x.rows(), 1 + 16384 / (width + 1), [&](int64_t begin, int64_t end) { add(args, begin, end); });
  }
};
PIPELINE_OP(AddBias, "PipelineAddBias", {}, {"x: float", "delta: float", "bias: float"}, {"sum: float"});

}  // namespace
}  // namespace pipeline
