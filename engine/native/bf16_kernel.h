/** Kernels of bfloat16 products, compiled for both kinds of instructions and chosen at run time. */
#pragma once
#include "bf16.h"

#if PIPELINE_X86
#include "bf16_dots.h"
#include "bf16_tiles.h"

/**
 * Defines `NAME(args, begin, end)`, which runs the template `BODY(product, args, begin, end)` with what `multiplyGroup` takes
 * for its product: AMX tiles, or dot products at the level below. Needs `hasBf16()`.
 */
#define PIPELINE_BF16_KERNEL(NAME, BODY, ARGS)                                                      \
  PIPELINE_BF16 static void NAME##Tiles(const ARGS& args, int64_t begin, int64_t end) {             \
    const Tiles tiles;                                                                              \
    BODY(tiles, args, begin, end);                                                                  \
  }                                                                                                 \
  PIPELINE_BF16 static void NAME##Dots(const ARGS& args, int64_t begin, int64_t end) {              \
    BODY(Dots{}, args, begin, end);                                                                 \
  }                                                                                                 \
  static void NAME(const ARGS& args, int64_t begin, int64_t end) {                                  \
    isa() >= Isa::amx ? NAME##Tiles(args, begin, end) : NAME##Dots(args, begin, end);               \
  }

namespace pipeline {

/** Whether the level in use has products of bfloat16 values. */
inline bool hasBf16() { return isa() >= Isa::avx512bf16; }

}  // namespace pipeline
#endif
