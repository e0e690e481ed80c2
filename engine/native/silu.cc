/** The gated activation of Llama's MLP in one pass: y = gate · sigmoid(gate) · up. */
#include "lanes.h"
#include "op.h"
#include "threads.h"

namespace pipeline {
namespace {

struct SiluArgs {
  const float* gate;
  const float* up;
  float* y;
};

template <int W>
PIPELINE_INLINE void siluRange(const SiluArgs& args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i += W) {
    const int64_t left = end - i;
    const bool full = left >= W;
    const F<W> gate = full ? load<W>(args.gate + i) : loadPart<W>(args.gate + i, left);
    const F<W> up = full ? load<W>(args.up + i) : loadPart<W>(args.up + i, left);
    const F<W> value = gate / (exponential<W>(-gate) + 1.f) * up;
    if (full) store<W>(args.y + i, value);
    else storePart<W>(args.y + i, value, left);
  }
}
PIPELINE_KERNEL(silu, siluRange, SiluArgs)

struct SiluMul {
  explicit SiluMul(Attributes&) {}

  void compute(const Call& call) const {
    const Tensor gate = call.input(0), up = call.input(1);
    require(gate.size() == up.size(), "siluMul: gate has " + std::to_string(gate.size()) + " elements, but up has " +
                                          std::to_string(up.size()) + ".");
    const Tensor y = call.floats(0, gate.shape());
    const SiluArgs args{gate.floats(), up.floats(), y.floats()};
    parallel(gate.size(), 16384, [&](int64_t begin, int64_t end) { silu(args, begin, end); });
  }
};
PIPELINE_OP(SiluMul, "PipelineSiluMul", {}, {"gate: float", "up: float"}, {"y: float"});

}  // namespace
}  // namespace pipeline
