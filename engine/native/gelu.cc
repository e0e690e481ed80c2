/** Bias and GELU (gelu.h) in one pass over x [..., n]. */
#include "gelu.h"
#include "lanes.h"
#include "op.h"
#include "threads.h"

namespace pipeline {
namespace {

struct GeluArgs {
  const float* x;
  const float* bias;  // null for none
  float* y;
  int64_t width;
  bool erf;
};

template <int W>
PIPELINE_INLINE void geluRows(const GeluArgs& args, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; row++) {
    const float* x = args.x + row * args.width;
    float* y = args.y + row * args.width;
    for (int64_t i = 0; i < args.width; i += W) {
      const int64_t left = args.width - i;
      F<W> u = left >= W ? load<W>(x + i) : loadPart<W>(x + i, left);
      if (args.bias) u += left >= W ? load<W>(args.bias + i) : loadPart<W>(args.bias + i, left);
      const F<W> value = args.erf ? geluErf<W>(u) : geluTanh<W>(u);
      if (left >= W) store<W>(y + i, value);
      else storePart<W>(y + i, value, left);
    }
  }
}
PIPELINE_KERNEL(gelu, geluRows, GeluArgs)

struct Gelu {
  bool erf, reuse;
  explicit Gelu(Attributes& attributes) : erf(attributes.flag("erf")), reuse(attributes.flag("reuse")) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0), bias = call.input(1);
    require(x.rank() >= 1, "gelu: x must have an axis.");
    const int64_t width = x.dim(-1);
    require(bias.size() == 0 || bias.size() == width,
            "gelu: the bias must have " + std::to_string(width) + " elements, but it has " + std::to_string(bias.size()) + ".");
    if (reuse) {
      run(x, bias, x.floats());
      call.forward(0, x);
    } else {
      run(x, bias, call.floats(0, x.shape()).floats());
    }
  }

  void run(const Tensor& x, const Tensor& bias, float* y) const {
    const int64_t width = x.dim(-1);
    const GeluArgs args{x.floats(), bias.size() ? bias.floats() : nullptr, y, width, erf};
    if (width > 0) parallel(x.rows(), 1 + 16384 / width, [&](int64_t begin, int64_t end) { gelu(args, begin, end); });
  }
};
PIPELINE_OP(Gelu, "PipelineGelu", {"erf: bool", "reuse: bool"}, {"x: float", "bias: float"}, {"y: float"});

}  // namespace
}  // namespace pipeline
