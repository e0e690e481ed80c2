/**
 * Products of whole numbers by block (screen_cells.h): c (+)= a b for 32 rows by 32 columns of sums of 32 bits, row by row.
 * `start` is what each column's sums begin with; unless they are the `first`, they go on from c. A kind of instructions is one struct
 * here:
 *
 *   ByteTiles          AMX: bytes with sign
 *   Dots16, Dots8      AVX-512 VNNI, AVX-VNNI: bytes without sign by bytes with one
 *   Halves16, Halves8  AVX-512, AVX2: the same with sums of 16 bits over half steps, which are then added up in 32
 *   Quads              the dot products of ARMv8.2: bytes with sign
 *
 * Sums are of whole numbers: every kind that takes the same form gives the same.
 */
#pragma once
#include "screen_cells.h"

#if PIPELINE_X86
#include "bf16_tiles.h"
#endif

namespace pipeline {
namespace screening {

#if PIPELINE_X86

/** Four bytes in every lane. */
template <int W>
PIPELINE_INLINE I<W> splatCell(const int32_t* from) {
  I<W> value;
  if constexpr (W == 16) asm("vpbroadcastd %1, %0" : "=v"(value) : "m"(*from));
  else asm("vpbroadcastd %1, %0" : "=x"(value) : "m"(*from));
  return value;
}

template <int W>
PIPELINE_INLINE I<W> loadCells(const int32_t* from) {
  I<W> value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <int W>
PIPELINE_INLINE void storeCells(int32_t* to, I<W> value) {
  std::memcpy(to, &value, sizeof value);
}

/**
 * R rows by two vectors of W columns, sums in registers. `Add` adds a cell's products to a vector of sums.
 */
template <int W, int R, class Add>
PIPELINE_INLINE void multiplyRows(const int32_t* a, const int32_t* b, int64_t next, int64_t steps, int32_t* c,
                                  const int32_t* start, bool first) {
  I<W> sums[R][2];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 2
    for (int v = 0; v < 2; v++) sums[r][v] = loadCells<W>(first ? start + v * W : c + r * kSide + v * W);
  for (int64_t step = 0; step < steps; step++, a += kStep, b += kStep)
    for (int64_t cell = 0; cell < kCells; cell++) {
      const I<W> left = loadCells<W>(b + cell * 16), right = loadCells<W>(b + cell * 16 + next);
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) {
        const I<W> both = splatCell<W>(a + r * kCells + cell);
        sums[r][0] = Add::add(sums[r][0], both, left);
        sums[r][1] = Add::add(sums[r][1], both, right);
      }
    }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 2
    for (int v = 0; v < 2; v++) storeCells<W>(c + r * kSide + v * W, sums[r][v]);
}

struct Bytes16 {
  static PIPELINE_INLINE I<16> add(I<16> sums, I<16> a, I<16> b) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b));
    return sums;
  }
};
struct Bytes8 {
  static PIPELINE_INLINE I<8> add(I<8> sums, I<8> a, I<8> b) {
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums) : "x"(a), "x"(b));
    return sums;
  }
};
/**
 * Adds products of neighbouring bytes, of a without sign, to sums of 16 bits, which may overflow on the way; no pair's own sum does
 * (`Range`). One piece of code, since compilers put what lies between where there are no registers for it.
 */
template <int W>
PIPELINE_INLINE I<W> addPairs(I<W> sums, I<W> a, I<W> b) {
  I<W> pairs;
  if constexpr (W == 16) asm("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0" : "+v"(sums), "=&v"(pairs) : "v"(a), "v"(b));
  else asm("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0" : "+x"(sums), "=&x"(pairs) : "x"(a), "x"(b));
  return sums;
}

/** The two sums of 16 bits of each lane, added up. */
template <int W>
PIPELINE_INLINE I<W> widened(I<W> sums) {
  const I<W> ones = I<W>{} + 0x00010001;
  I<W> wide;
  if constexpr (W == 16) asm("vpmaddwd %2, %1, %0" : "=v"(wide) : "v"(sums), "v"(ones));
  else asm("vpmaddwd %2, %1, %0" : "=x"(wide) : "x"(sums), "x"(ones));
  return wide;
}

/** R rows by two vectors of W columns: sums of a step in registers, those of all in c. */
template <int W, int R>
PIPELINE_INLINE void multiplyHalves(const int32_t* a, const int32_t* b, int64_t next, int64_t steps, int32_t* c,
                                    const int32_t* start, bool first) {
  for (int64_t step = 0; step < steps; step++, a += kStep, b += kStep, start += kSide) {
    I<W> sums[R][2];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 2
      for (int v = 0; v < 2; v++) sums[r][v] = loadCells<W>(start + v * W);
#pragma GCC unroll 4
    for (int64_t cell = 0; cell < kCells; cell++) {
      const I<W> left = loadCells<W>(b + cell * 16), right = loadCells<W>(b + cell * 16 + next);
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) {
        const I<W> both = splatCell<W>(a + r * kCells + cell);
        sums[r][0] = addPairs<W>(sums[r][0], both, left);
        sums[r][1] = addPairs<W>(sums[r][1], both, right);
      }
    }
    const bool from = first && step == 0;
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 2
      for (int v = 0; v < 2; v++) {
        int32_t* const to = c + r * kSide + v * W;
        const I<W> wide = widened<W>(sums[r][v]);
        storeCells<W>(to, from ? wide : loadCells<W>(to) + wide);
      }
  }
}

/** What multiplies a few rows by two vectors of columns. */
template <int W, class Add>
struct InWholes {
  template <int R>
  static PIPELINE_INLINE void multiply(const int32_t* a, const int32_t* b, int64_t steps, int32_t* c, const int32_t* start,
                                       bool first) {
    multiplyRows<W, R, Add>(a, b, W == 16 ? 16 * kCells : 8, steps, c, start, first);
  }
};
template <int W>
struct InHalves {
  template <int R>
  static PIPELINE_INLINE void multiply(const int32_t* a, const int32_t* b, int64_t steps, int32_t* c, const int32_t* start,
                                       bool first) {
    multiplyHalves<W, R>(a, b, W == 16 ? 16 * kCells : 8, steps, c, start, first);
  }
};

/** All columns in vectors of 16, rows by eights. */
template <class Rows>
struct Sixteens {
  static constexpr int kLanes = 16;
  PIPELINE_INLINE void multiply(const int32_t* a, const int32_t* b, int64_t steps, int32_t* c, const int32_t* start,
                                bool first) const {
    for (int64_t row = 0; row < kSide; row += 8)
      Rows::template multiply<8>(a + row * kCells, b, steps, c + row * kSide, start, first);
  }
};

/** 16 columns at a time in vectors of eight: rows by sixes, of which the sums fill the registers, and the last eight by fours. */
template <class Rows>
struct Eights {
  static constexpr int kLanes = 8;
  PIPELINE_INLINE void multiply(const int32_t* a, const int32_t* b, int64_t steps, int32_t* c, const int32_t* start,
                                bool first) const {
    for (int64_t half = 0; half < 2; half++, b += 16 * kCells, c += 16, start += 16) {
      int64_t row = 0;
      for (; row < 24; row += 6) Rows::template multiply<6>(a + row * kCells, b, steps, c + row * kSide, start, first);
      for (; row < kSide; row += 4) Rows::template multiply<4>(a + row * kCells, b, steps, c + row * kSide, start, first);
    }
  }
};

typedef Sixteens<InWholes<16, Bytes16>> Dots16;
typedef Eights<InWholes<8, Bytes8>> Dots8;
typedef Sixteens<InHalves<16>> Halves16;
typedef Eights<InHalves<8>> Halves8;

/** Its sums always begin with zero, as those of bytes with sign do. */
struct ByteTiles {
  static constexpr int kLanes = 16;
  const Tiles tiles;  // sets the tile registers up
  PIPELINE_INLINE void multiply(const int32_t* a, const int32_t* b, int64_t steps, int32_t* c, const int32_t*,
                                bool first) const {
    constexpr int64_t kRow = kSide * 4, kHalf = kStep / 2;
    if (first) {
      PIPELINE_TILE_ZERO(0);
      PIPELINE_TILE_ZERO(1);
      PIPELINE_TILE_ZERO(2);
      PIPELINE_TILE_ZERO(3);
    } else {
      PIPELINE_TILE_LOAD(0, c, kRow);
      PIPELINE_TILE_LOAD(1, c + 16, kRow);
      PIPELINE_TILE_LOAD(2, c + 16 * kSide, kRow);
      PIPELINE_TILE_LOAD(3, c + 16 * kSide + 16, kRow);
    }
    for (int64_t step = 0; step < steps; step++, a += kStep, b += kStep) {
      PIPELINE_TILE_LOAD(4, a, 64);
      PIPELINE_TILE_LOAD(6, b, 64);
      PIPELINE_TILE_LOAD(7, b + kHalf, 64);
      asm volatile("tdpbssd %%tmm6, %%tmm4, %%tmm0" ::);
      PIPELINE_TILE_LOAD(5, a + kHalf, 64);
      asm volatile("tdpbssd %%tmm7, %%tmm4, %%tmm1" ::);
      asm volatile("tdpbssd %%tmm6, %%tmm5, %%tmm2" ::);
      asm volatile("tdpbssd %%tmm7, %%tmm5, %%tmm3" ::);
    }
    PIPELINE_TILE_STORE(c, kRow, 0);
    PIPELINE_TILE_STORE(c + 16, kRow, 1);
    PIPELINE_TILE_STORE(c + 16 * kSide, kRow, 2);
    PIPELINE_TILE_STORE(c + 16 * kSide + 16, kRow, 3);
  }
};
#elif defined(__aarch64__)

/** Sums and the four products of each lane of b with one cell of a. By name, since compilers know them only where told. */
template <int Cell>
PIPELINE_INLINE I<4> addQuads(I<4> sums, I<4> b, I<4> a) {
  if constexpr (Cell == 0) asm(".arch armv8.2-a+dotprod\n\tsdot %0.4s, %1.16b, %2.4b[0]" : "+w"(sums) : "w"(b), "w"(a));
  if constexpr (Cell == 1) asm(".arch armv8.2-a+dotprod\n\tsdot %0.4s, %1.16b, %2.4b[1]" : "+w"(sums) : "w"(b), "w"(a));
  if constexpr (Cell == 2) asm(".arch armv8.2-a+dotprod\n\tsdot %0.4s, %1.16b, %2.4b[2]" : "+w"(sums) : "w"(b), "w"(a));
  if constexpr (Cell == 3) asm(".arch armv8.2-a+dotprod\n\tsdot %0.4s, %1.16b, %2.4b[3]" : "+w"(sums) : "w"(b), "w"(a));
  return sums;
}

struct Quads {
  static constexpr int kLanes = 4;
  PIPELINE_INLINE void multiply(const int32_t* a, const int32_t* b, int64_t steps, int32_t* c, const int32_t* start,
                                bool first) const {
    for (int64_t half = 0; half < 2; half++)
      for (int64_t row = 0; row < kSide; row += 4)
        multiplySquare(a + row * kCells, b + half * 16 * kCells, steps, c + row * kSide + half * 16, start + half * 16, first);
  }

 private:
  /** Four rows by 16 columns. */
  static PIPELINE_INLINE void multiplySquare(const int32_t* a, const int32_t* b, int64_t steps, int32_t* c, const int32_t* start,
                                             bool first) {
    I<4> sums[4][4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; r++)
#pragma GCC unroll 4
      for (int v = 0; v < 4; v++) std::memcpy(&sums[r][v], first ? start + v * 4 : c + r * kSide + v * 4, 16);
    for (int64_t step = 0; step < steps; step++, a += kStep, b += kStep)
      for (int64_t cell = 0; cell < kCells; cell += 4) {
        I<4> rows[4];
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) std::memcpy(&rows[r], a + r * kCells + cell, 16);
        addCell<0>(sums, rows, b + cell * 16);
        addCell<1>(sums, rows, b + cell * 16 + 16);
        addCell<2>(sums, rows, b + cell * 16 + 32);
        addCell<3>(sums, rows, b + cell * 16 + 48);
      }
#pragma GCC unroll 4
    for (int r = 0; r < 4; r++)
#pragma GCC unroll 4
      for (int v = 0; v < 4; v++) std::memcpy(c + r * kSide + v * 4, &sums[r][v], 16);
  }

  template <int Cell>
  static PIPELINE_INLINE void addCell(I<4> (&sums)[4][4], const I<4> (&rows)[4], const int32_t* b) {
#pragma GCC unroll 4
    for (int v = 0; v < 4; v++) {
      I<4> columns;
      std::memcpy(&columns, b + v * 4, 16);
#pragma GCC unroll 4
      for (int r = 0; r < 4; r++) sums[r][v] = addQuads<Cell>(sums[r][v], columns, rows[r]);
    }
  }
};
#endif

}  // namespace screening
}  // namespace pipeline
