/**
 * Float32 products by bfloat16 tiles. A float32 number is the sum of three bfloat16 ones, of 8 bits each: the nearest to it, the
 * nearest to what is left, and the rest. Of the nine products of two such sums the three smallest come to at most 2⁻²³ of the
 * whole, and are left out; the other six are exact, and tiles add 32 of a kind before they round them to a sum. That is two
 * roundings of float32, and six for every 32 products, where a sum of float32 products makes one for each: it is nearer to the true
 * sum, at a multiple of the speed.
 *
 * Operands are packed as in bf16.h, the thirds of a step one after another:
 *
 *   A  [rows / 32][depth / 32][3][2][16 rows][32]           B  [columns / 32][depth / 32][3][2][16 pairs][16 columns][2]
 *
 * where a pair of a step are its numbers i and 16 + i, in both.
 *
 * Tiles take numbers below 2⁻¹²⁶ for zero. Thirds and products so small are of no weight where the largest number of a row of A and
 * of a column of B lies within 2^±48, or is zero. Packing finds rows and columns where it does not, or where a number is none; they
 * must be multiplied otherwise.
 */
#pragma once
#include "bf16_tiles.h"

#if PIPELINE_X86
namespace pipeline {

constexpr int64_t kThirdsStep = 3 * kStep;  // bfloat16 values of an operand in a step

/** c (+)= a b over `steps` steps for one block, from zero where it is the `first` of them; the lower 16 rows only where `whole`. */
template <bool whole>
PIPELINE_INLINE void multiplyThirdsBlock(const uint16_t* a, const uint16_t* b, int64_t steps, float* c, bool first) {
  beginSums(c, first);
  constexpr int64_t half = kStep / 2;
#define PIPELINE_THIRDS_A(I)                                     \
  PIPELINE_TILE_LOAD(4, a + (I) * kStep, 64);                    \
  if (whole) PIPELINE_TILE_LOAD(5, a + (I) * kStep + half, 64)
#define PIPELINE_THIRDS_B(I)                  \
  PIPELINE_TILE_LOAD(6, b + (I) * kStep, 64); \
  PIPELINE_TILE_LOAD(7, b + (I) * kStep + half, 64)
#define PIPELINE_THIRDS_PRODUCT        \
  PIPELINE_TILE_MULTIPLY(0, 4, 6);     \
  PIPELINE_TILE_MULTIPLY(1, 4, 7);     \
  if (whole) {                         \
    PIPELINE_TILE_MULTIPLY(2, 5, 6);   \
    PIPELINE_TILE_MULTIPLY(3, 5, 7);   \
  }
  for (int64_t step = 0; step < steps; step++, a += kThirdsStep, b += kThirdsStep) {
    PIPELINE_THIRDS_A(2);
    PIPELINE_THIRDS_B(0);
    PIPELINE_THIRDS_PRODUCT
    PIPELINE_THIRDS_A(1);
    PIPELINE_THIRDS_PRODUCT
    PIPELINE_THIRDS_B(1);
    PIPELINE_THIRDS_PRODUCT
    PIPELINE_THIRDS_A(0);
    PIPELINE_THIRDS_PRODUCT
    PIPELINE_THIRDS_B(2);
    PIPELINE_THIRDS_PRODUCT
    PIPELINE_THIRDS_B(0);
    PIPELINE_THIRDS_PRODUCT
  }
#undef PIPELINE_THIRDS_A
#undef PIPELINE_THIRDS_B
#undef PIPELINE_THIRDS_PRODUCT
  PIPELINE_TILE_STORE(c, 64, 0);
  PIPELINE_TILE_STORE(c + 256, 64, 1);
  if (whole) {
    PIPELINE_TILE_STORE(c + 512, 64, 2);
    PIPELINE_TILE_STORE(c + 768, 64, 3);
  }
}

}  // namespace pipeline
#endif
