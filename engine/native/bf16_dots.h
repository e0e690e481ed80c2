/**
 * Blocks of bfloat16 products by the dot products of AVX-512 BF16: each adds to 16 sums two products a lane, of a pair of A
 * with 16 pairs of B. Sums of eight rows by 32 columns stay in registers.
 */
#pragma once
#include "bf16.h"

#if PIPELINE_X86
namespace pipeline {

struct Dots {
  PIPELINE_BF16 PIPELINE_INLINE void multiply(const uint16_t* a, const uint16_t* b, int64_t steps,
                                                                    float* c, bool first) const {
    for (int64_t row = 0; row < kBlock; row += kRows) multiplyRows(a + row / 16 * (kStep / 2) + row % 16 * kBlock, b, steps, c, row, first);
  }

 private:
  static constexpr int kRows = 8;

  /** Eight rows of the block. */
  PIPELINE_BF16 static PIPELINE_INLINE void multiplyRows(const uint16_t* a, const uint16_t* b, int64_t steps,
                                                                               float* c, int64_t row, bool first) {
    __m512 sums[kRows][2];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; r++)
#pragma GCC unroll 2
      for (int half = 0; half < 2; half++)
        sums[r][half] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(blockRow(c, row + r, half));
    for (int64_t step = 0; step < steps; step++, a += kStep, b += kStep)
      for (int64_t pair = 0; pair < kBlock / 2; pair++) {
        const __m512bh left = pairsOf(b + pair * kBlock), right = pairsOf(b + kStep / 2 + pair * kBlock);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; r++) {
          const __m512bh both = splatPair(a + r * kBlock + 2 * pair);
          sums[r][0] = _mm512_dpbf16_ps(sums[r][0], both, left);
          sums[r][1] = _mm512_dpbf16_ps(sums[r][1], both, right);
        }
      }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; r++)
#pragma GCC unroll 2
      for (int half = 0; half < 2; half++) _mm512_storeu_ps(blockRow(c, row + r, half), sums[r][half]);
  }

  PIPELINE_BF16 static PIPELINE_INLINE __m512bh pairsOf(const uint16_t* from) {
    return (__m512bh)_mm512_loadu_si512(from);
  }

  /** A pair in every lane; asked for by name, since compilers build it from halves (`splatFrom`). */
  PIPELINE_BF16 static PIPELINE_INLINE __m512bh splatPair(const uint16_t* from) {
    __m512i value;
    asm("vpbroadcastd %1, %0" : "=v"(value) : "m"(*reinterpret_cast<const uint32_t*>(from)));
    return (__m512bh)value;
  }
};

}  // namespace pipeline
#endif
