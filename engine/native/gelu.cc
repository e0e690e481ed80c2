/**
 * Bias and GELU in one pass over x [..., n]:
 *
 *   erf form:   y = u Φ(u),  Φ(u) = erfc(-u / √2) / 2
 *   tanh form:  y = u / (1 + exp(-2 √(2/π) (u + 0.044715 u³)))        u = x + bias
 *
 * erfc(a) = exp(-a²) t P(t) with t = 1 / (1 + 0.4 a), a ≥ 0; P is a minimax fit of degree 9 to 8e-9 relative on [0, 10].
 */
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
PIPELINE_INLINE F<W> geluTanh(F<W> u) {
  const F<W> inner = u * (u * u * 0.0713548162726f + 1.59576912160573f);
  return u / (exponential<W>(-inner) + 1.f);
}

template <int W>
PIPELINE_INLINE F<W> geluErf(F<W> u) {
  const F<W> a = magnitude<W>(u) * 0.70710678118654752f;
  const F<W> t = 1.f / (a * 0.4f + 1.f);
  F<W> p = splat<W>(-0.029594338f);
  p = p * t + 0.198013219f;
  p = p * t + -0.498811501f;
  p = p * t + 0.54743545f;
  p = p * t + -0.284366691f;
  p = p * t + 0.272066235f;
  p = p * t + 0.129679603f;
  p = p * t + 0.2149191f;
  p = p * t + 0.224952022f;
  p = p * t + 0.225706909f;
  const F<W> tail = exponential<W>(-a * a) * (p * t * 0.5f);
  return u * (u < 0.f ? tail : 1.f - tail);
}

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
