/**
 * Products of bfloat16 matrices with float32 sums on AMX tiles (Intel's Advanced Matrix Extensions).
 *
 * A block is 32 rows by 32 columns: two tiles of A by two of B into four of C. Both operands are packed so that what one step
 * of 32 along the depth needs lies together, 2 KiB each:
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

#define PIPELINE_AMX                                                                                                   \
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

/** While it lives, the tile registers of this thread are set up as eight tiles of 16 rows of 64 bytes. */
class Tiles {
 public:
  Tiles() {
    alignas(64) uint8_t config[64] = {};
    config[0] = 1;  // palette
    for (int tile = 0; tile < 8; tile++) {
      config[16 + 2 * tile] = 64;  // bytes a row
      config[48 + tile] = 16;      // rows
    }
    // The clobber matters: without it compilers drop the stores above.
    asm volatile("ldtilecfg %0" ::"m"(config) : "memory");
  }
  ~Tiles() { asm volatile("tilerelease" ::: "memory"); }
  Tiles(const Tiles&) = delete;
};

#define PIPELINE_TILE_LOAD(TILE, FROM, STRIDE) \
  asm volatile("tileloadd (%0,%1,1), %%tmm" #TILE ::"r"(FROM), "r"(static_cast<int64_t>(STRIDE)) : "memory")
#define PIPELINE_TILE_STORE(TO, STRIDE, TILE) \
  asm volatile("tilestored %%tmm" #TILE ", (%0,%1,1)" ::"r"(TO), "r"(static_cast<int64_t>(STRIDE)) : "memory")
#define PIPELINE_TILE_ZERO(TILE) asm volatile("tilezero %%tmm" #TILE ::)
#define PIPELINE_TILE_MULTIPLY(C, A, B) asm volatile("tdpbf16ps %%tmm" #B ", %%tmm" #A ", %%tmm" #C ::)

/** c (+)= a b over `steps` steps, for one block; `first` starts from zero. Needs `Tiles`. */
inline __attribute__((always_inline)) void multiplyBlock(const uint16_t* a, const uint16_t* b, int64_t steps, float* c,
                                                         bool first) {
  if (first) {
    PIPELINE_TILE_ZERO(0);
    PIPELINE_TILE_ZERO(1);
    PIPELINE_TILE_ZERO(2);
    PIPELINE_TILE_ZERO(3);
  } else {
    PIPELINE_TILE_LOAD(0, c, 64);
    PIPELINE_TILE_LOAD(1, c + 256, 64);
    PIPELINE_TILE_LOAD(2, c + 512, 64);
    PIPELINE_TILE_LOAD(3, c + 768, 64);
  }
  for (int64_t step = 0; step < steps; step++) {
    PIPELINE_TILE_LOAD(4, a + step * kStep, 64);
    PIPELINE_TILE_LOAD(6, b + step * kStep, 64);
    PIPELINE_TILE_LOAD(7, b + step * kStep + kStep / 2, 64);
    PIPELINE_TILE_MULTIPLY(0, 4, 6);
    PIPELINE_TILE_LOAD(5, a + step * kStep + kStep / 2, 64);
    PIPELINE_TILE_MULTIPLY(1, 4, 7);
    PIPELINE_TILE_MULTIPLY(2, 5, 6);
    PIPELINE_TILE_MULTIPLY(3, 5, 7);
  }
  PIPELINE_TILE_STORE(c, 64, 0);
  PIPELINE_TILE_STORE(c + 256, 64, 1);
  PIPELINE_TILE_STORE(c + 512, 64, 2);
  PIPELINE_TILE_STORE(c + 768, 64, 3);
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
PIPELINE_AMX inline void packRows(const float* x, int64_t stride, int64_t rows, int64_t depth, uint16_t* packed) {
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
 * `finish(c, block, panel)` for each finished block of sums, panels in ascending order. Needs `Tiles`.
 */
template <class Finish>
PIPELINE_AMX void multiplyGroup(const float* x, int64_t rows, int64_t depth, const uint16_t* weight, int64_t panels,
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
            multiplyBlock(a + (block * steps + from) * kStep, b, to - from, sums, from == 0);
            if (to == steps) finish(sums, block, panel);
          }
        }
    }
}

}  // namespace pipeline
#endif
