/**
 * Products of bfloat16 matrices with float32 sums: what is the same for AMX tiles (bf16_tiles.h) and for the dot products of
 * AVX-512 BF16 (bf16_dots.h). A kernel takes both by bf16_kernel.h.
 *
 * A block is 32 rows by 32 columns: four tiles of 16 by 16. Both operands are packed, in one form for both kinds of
 * instructions, so that what one step of 32 along the depth needs lies together, 2 KiB each:
 *
 *   A  [rows / 32][depth / 32][2][16 rows][32]           B  [columns / 32][depth / 32][2][16 pairs][16 columns][2]
 *
 * where a pair is two neighbouring rows of B. Edges are padded with zeros.
 */
#pragma once
#include <cstdint>
#include <cstring>

#include "isa.h"

#if PIPELINE_X86
#include <immintrin.h>

// AMX instructions are asked for by name only (bf16_tiles.h); compilers make none of their own.
#define PIPELINE_BF16                                                                                                  \
  __attribute__((target("avx2,fma,bmi,bmi2,popcnt,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512bf16,amx-tile," \
                        "amx-bf16,prefer-vector-width=512")))

namespace pipeline {

constexpr int64_t kBlock = 32;                      // rows and columns of a block, and depth of a step
constexpr int64_t kStep = kBlock * kBlock;          // bfloat16 values of an operand in a step
constexpr int64_t kBlockFloats = kBlock * kBlock;   // a block of C: four tiles of 16 x 16, one after the other

inline int64_t blocksOf(int64_t size) { return (size + kBlock - 1) / kBlock; }

/** Nearest bfloat16, ties to even; NaN stays NaN. */
inline uint16_t bfloat16Of(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/** Where in a block of C a row's 16 columns of one half begin. */
inline float* blockRow(float* c, int64_t row, int half) { return c + (row / 16 * 2 + half) * 256 + row % 16 * 16; }

// What a core works on at a time, found by trial: part of a column panel in its first cache; in the second, the packed rows
// of a group for one stretch of depth, and the sums of the panels that the group has begun.
constexpr int64_t kInner = 8;        // steps
constexpr int64_t kStretch = 24;     // steps
constexpr int64_t kPanels = 24;      // column panels, where there are several stretches
constexpr int64_t kGroupBlocks = 8;  // blocks of rows

/** Packs `rows` rows (at most 32; the rest become zeros) of a float32 matrix as a block row of A. */
PIPELINE_BF16 inline void packRows(const float* x, int64_t stride, int64_t rows, int64_t depth, uint16_t* packed) {
  const int64_t steps = blocksOf(depth);
  for (int64_t row = 0; row < kBlock; row++) {
    uint16_t* to = packed + row / 16 * (kStep / 2) + row % 16 * kBlock;
    const float* from = x + row * stride;
    for (int64_t step = 0; step < steps; step++, to += kStep) {
      const int64_t left = row < rows ? depth - step * kBlock : 0;
      const __mmask16 low = left >= 16 ? 0xffff : left > 0 ? (1u << left) - 1 : 0;
      const __mmask16 high = left >= 32 ? 0xffff : left > 16 ? (1u << (left - 16)) - 1 : 0;
      const __m512 first = _mm512_maskz_loadu_ps(low, from + step * kBlock);
      const __m512 second = _mm512_maskz_loadu_ps(high, from + step * kBlock + 16);
      const __m512bh both = _mm512_cvtne2ps_pbh(second, first);
      std::memcpy(to, &both, 64);
    }
  }
}

/** Floats of scratch memory that `multiplyGroup` needs for a group of so many blocks of rows. */
inline int64_t groupScratch(int64_t blocks, int64_t steps) {
  return (steps > kStretch ? kPanels : 1) * blocks * kBlockFloats + blocks * steps * kStep / 2;
}

/**
 * The products of `rows` rows of x [rows, depth] with the packed columns of `weight`, block by block: calls
 * `finish(c, block, panel)` for each finished block of sums, panels in ascending order. `Product` has `multiply(a, b, steps, c,
 * first)`: c (+)= a b over `steps` steps for one block, from zero where it is the `first` of them.
 */
template <class Product, class Finish>
PIPELINE_BF16 void multiplyGroup(const Product& product, const float* x, int64_t rows, int64_t depth, const uint16_t* weight, int64_t panels,
                                float* memory, const Finish& finish) {
  const int64_t steps = blocksOf(depth), blocks = blocksOf(rows);
  const int64_t stretches = (steps + kStretch - 1) / kStretch;
  const int64_t together = stretches > 1 ? kPanels : 1;
  float* const c = memory;
  uint16_t* const a = reinterpret_cast<uint16_t*>(c + together * blocks * kBlockFloats);
  for (int64_t block = 0; block < blocks; block++) {
    const int64_t left = rows - block * kBlock;
    packRows(x + block * kBlock * depth, depth, left < kBlock ? left : kBlock, depth, a + block * steps * kStep);
  }
  for (int64_t panel0 = 0; panel0 < panels; panel0 += together)
    for (int64_t stretch = 0; stretch < stretches; stretch++) {
      const int64_t start = steps * stretch / stretches, stop = steps * (stretch + 1) / stretches;
      for (int64_t panel = panel0; panel < panel0 + together && panel < panels; panel++)
        for (int64_t from = start; from < stop; from += kInner) {
          const int64_t to = from + kInner < stop ? from + kInner : stop;
          const uint16_t* b = weight + (panel * steps + from) * kStep;
          for (int64_t block = 0; block < blocks; block++) {
            float* const sums = c + ((panel - panel0) * blocks + block) * kBlockFloats;
            product.multiply(a + (block * steps + from) * kStep, b, to - from, sums, from == 0);
            if (to == steps) finish(sums, block, panel);
          }
        }
    }
}

}  // namespace pipeline
#endif
