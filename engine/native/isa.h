/** Which vector instructions the kernels may use: the best that the processor has, or what `setIsa` says. */
#pragma once

namespace pipeline {

/**
 * Instruction sets in the order of what they can do. Each holds all before it of its own processors, but that AVX-512 alone does not
 * bring AVX-VNNI: `avxvnni` is AVX2 with dot products of 8-bit integers.
 */
enum class Isa { plain = 0, neon, avx2, avxvnni, avx512, avx512vnni, avx512bf16, amx };
constexpr int kIsas = 8;

/** Whether this processor, and its system, have it. On arm64 there is `neon` alone. */
bool hasIsa(Isa isa);
const char* nameOf(Isa isa);

/** The instruction set in use. */
Isa isa();
/** Goes to a named instruction set, or to the best where the processor lacks it or the name is unknown. */
void setIsa(const char* name);

}  // namespace pipeline

// A kernel's body is a template over the number of float lanes, written once in plain vector types (lanes.h) and always
// inlined; these name the instruction sets that it is compiled for. `plain` is SSE2 on x86-64 and NEON on arm64.
#define PIPELINE_INLINE inline __attribute__((always_inline))
#if defined(__x86_64__)
#define PIPELINE_X86 1
#define PIPELINE_AVX2 __attribute__((target("avx2,fma,bmi,bmi2,popcnt,f16c")))
#define PIPELINE_AVX512                                                                                            \
  __attribute__((target("avx2,fma,bmi,bmi2,popcnt,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512cd,prefer-vector-width=512")))
#else
#define PIPELINE_X86 0
#endif

/**
 * Defines `NAME(args, begin, end)`, which runs the template `BODY<lanes>` compiled for the instructions at hand. The body
 * handles the pieces [begin, end) of a parallelFor.
 */
#if PIPELINE_X86
#define PIPELINE_KERNEL(NAME, BODY, ARGS)                                                            \
  PIPELINE_AVX512 static void NAME##Avx512(const ARGS& args, int64_t begin, int64_t end) {           \
    BODY<16>(args, begin, end);                                                                      \
  }                                                                                                  \
  PIPELINE_AVX2 static void NAME##Avx2(const ARGS& args, int64_t begin, int64_t end) {               \
    BODY<8>(args, begin, end);                                                                       \
  }                                                                                                  \
  static void NAME##Plain(const ARGS& args, int64_t begin, int64_t end) { BODY<4>(args, begin, end); } \
  static void NAME(const ARGS& args, int64_t begin, int64_t end) {                                   \
    if (isa() >= Isa::avx512) return NAME##Avx512(args, begin, end);                                 \
    if (isa() >= Isa::avx2) return NAME##Avx2(args, begin, end);                                     \
    NAME##Plain(args, begin, end);                                                                   \
  }
#else
#define PIPELINE_KERNEL(NAME, BODY, ARGS) \
  static void NAME(const ARGS& args, int64_t begin, int64_t end) { BODY<4>(args, begin, end); }
#endif
