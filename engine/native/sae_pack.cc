/** The encoder in the form that bfloat16 products read (bf16.h), made once; updates renew it (sae_update.cc). */
#include <algorithm>

#include "isa.h"
#include "op.h"
#include "packed.h"

#if PIPELINE_X86
#include "bf16.h"
#endif

namespace pipeline {
namespace {

/** The bfloat16 form of an encoder [latents, width] that rounded products take, as int32 words. */
struct PackEncoder {
  explicit PackEncoder(Attributes&) {}
  void compute(const Call& call) const {
    const Tensor weight = call.input(0);
    require(weight.rank() == 2, "packEncoder: the encoder must be [latents, width].");
#if PIPELINE_X86
    const Packed packed = packWeight(weight.floats(), weight.dim(1), weight.dim(0), true);
    const int64_t words = packedValues(weight.dim(1), weight.dim(0)) / 2;
    const Tensor y = call.ints(0, {words});
    std::copy(packed->data(), packed->data() + words * 2, reinterpret_cast<uint16_t*>(y.ints()));
#else
    require(false, "packEncoder: this processor has no bfloat16 products.");
#endif
  }
};
PIPELINE_OP(PackEncoder, "PipelinePackEncoder", {}, {"weight: float"}, {"packed: int32"});

}  // namespace
}  // namespace pipeline
