/** Numbers of latents at entries: out_n = perLatent[i_n]. TensorFlow's gather takes fifty times as long for single numbers. */
#include "op.h"
#include "threads.h"

namespace pipeline {
namespace {

struct AtEntries {
  explicit AtEntries(Attributes&) {}

  void compute(const Call& call) const {
    const Tensor perLatent = call.input(0), indices = call.input(1);
    const int64_t latents = perLatent.size(), count = indices.size();
    const Tensor out = call.floats(0, {count});
    const float* const from = perLatent.floats();
    const int32_t* const at = indices.ints();
    float* const to = out.floats();
    bool fits = true;
    for (int64_t n = 0; n < count; n++) fits &= at[n] >= 0 && at[n] < latents;
    require(fits, "atEntries: an index is outside the " + std::to_string(latents) + " latents.");
    parallel(count, 1 << 14, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; n++) to[n] = from[at[n]];
    });
  }
};
PIPELINE_OP(AtEntries, "PipelineAtEntries", {}, {"per_latent: float", "indices: int32"}, {"values: float"});

}  // namespace
}  // namespace pipeline
