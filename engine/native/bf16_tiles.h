/** Blocks of bfloat16 products on AMX tiles (Intel's Advanced Matrix Extensions): two tiles of A by two of B into four of C. */
#pragma once
#include "bf16.h"

#if PIPELINE_X86
namespace pipeline {

#define PIPELINE_TILE_LOAD(TILE, FROM, STRIDE) \
  asm volatile("tileloadd (%0,%1,1), %%tmm" #TILE ::"r"(FROM), "r"(static_cast<int64_t>(STRIDE)) : "memory")
#define PIPELINE_TILE_STORE(TO, STRIDE, TILE) \
  asm volatile("tilestored %%tmm" #TILE ", (%0,%1,1)" ::"r"(TO), "r"(static_cast<int64_t>(STRIDE)) : "memory")
#define PIPELINE_TILE_ZERO(TILE) asm volatile("tilezero %%tmm" #TILE ::)
#define PIPELINE_TILE_MULTIPLY(C, A, B) asm volatile("tdpbf16ps %%tmm" #B ", %%tmm" #A ", %%tmm" #C ::)

/** Sums of a block in the first four tiles: zero where they are the `first`, else what c has. */
PIPELINE_INLINE void beginSums(const float* c, bool first) {
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

  PIPELINE_INLINE void multiply(const uint16_t* a, const uint16_t* b, int64_t steps, float* c, bool first) const {
    beginSums(c, first);
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
};

}  // namespace pipeline
#endif
