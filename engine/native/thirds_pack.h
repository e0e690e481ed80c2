/** Packing float32 matrices as thirds (thirds.h), and finding the rows and columns that tiles cannot multiply. */
#pragma once
#include "thirds.h"

#if PIPELINE_X86
namespace pipeline {

/** The larger of what is in 16 lanes and a |number|, as bits: those of what is no number are the largest. */
PIPELINE_BF16 PIPELINE_INLINE __m512i largerBits(__m512i bits, __m512 value) {
  return _mm512_max_epu32(bits, _mm512_and_si512(_mm512_castps_si512(value), _mm512_set1_epi32(0x7fffffff)));
}

/** A bit for each lane whose largest number is neither zero nor within bounds. */
PIPELINE_BF16 PIPELINE_INLINE uint32_t oddLanes(__m512i bits) {
  constexpr int least = (127 - 48) << 23, most = (127 + 48) << 23;
  const __m512i above = _mm512_sub_epi32(bits, _mm512_set1_epi32(least));
  return _mm512_mask_cmpgt_epu32_mask(_mm512_test_epi32_mask(bits, bits), above, _mm512_set1_epi32(most - least));
}

/** The same of the largest of all lanes. */
PIPELINE_BF16 PIPELINE_INLINE bool oddLargest(__m512i bits) {
  return oddLanes(_mm512_set1_epi32(static_cast<int>(_mm512_reduce_max_epu32(bits)))) != 0;
}

/** The thirds of 16 pairs, of which `first` has the one and `second` the other number. */
PIPELINE_BF16 PIPELINE_INLINE void splitPairs(__m512 first, __m512 second, __m512i* thirds) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19,
                                         3, 18, 2, 17, 1, 16, 0);
#pragma GCC unroll 3
  for (int third = 0; third < 3; third++) {
    thirds[third] = _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(second, first));
    if (third == 2) break;
    first = _mm512_sub_ps(first, _mm512_castsi512_ps(_mm512_slli_epi32(thirds[third], 16)));
    second = _mm512_sub_ps(second, _mm512_castsi512_ps(_mm512_and_si512(thirds[third], _mm512_set1_epi32(-65536))));
  }
}

/** Which of 16 floats there are, of `left`. */
PIPELINE_INLINE __mmask16 lanesOf(int64_t left) { return left >= 16 ? 0xffff : left > 0 ? (1u << left) - 1 : 0; }

/** Packs a block row of A from `rows` rows of x; the rest become zeros. Returns a bit for each row that is out of bounds. */
PIPELINE_BF16 inline uint32_t packRowsAsThirds(const float* x, int64_t stride, int64_t rows, int64_t depth, uint16_t* packed) {
  uint32_t odd = 0;
  for (int64_t row = 0; row < kBlock; row++) {
    uint16_t* to = packed + row / 16 * (kStep / 2) + row % 16 * kBlock;
    const float* const from = x + row * stride;
    __m512i bits = _mm512_setzero_si512();
    for (int64_t d = 0; d < depth; d += kBlock, to += kThirdsStep) {
      __m512i thirds[3] = {};
      if (row < rows) {
        const __m512 first = _mm512_maskz_loadu_ps(lanesOf(depth - d), from + d);
        const __m512 second = _mm512_maskz_loadu_ps(lanesOf(depth - d - 16), from + d + 16);
        bits = largerBits(largerBits(bits, first), second);
        splitPairs(first, second, thirds);
      }
#pragma GCC unroll 3
      for (int third = 0; third < 3; third++) _mm512_storeu_si512(to + third * kStep, thirds[third]);
    }
    if (oddLargest(bits)) odd |= 1u << row;
  }
  return odd;
}

/** A weight [depth, columns], or [columns, depth] when transposed. */
struct ThirdsWeight {
  const float* weight;
  int64_t depth, columns;
  bool transposed;
};

/** Turns a square of 16 by 16 whole numbers in memory, whose rows are 64 bytes apart, into one whose rows are so, too. */
PIPELINE_BF16 PIPELINE_INLINE void turnPairs(const uint16_t* from, uint16_t* to) {
  __m512i a[16], b[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) a[i] = _mm512_loadu_si512(from + i * 32);
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
    a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
    a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
    a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
  }
  // a[4 g + c] has, in its quarter q, column 4 q + c of the rows 4 g to 4 g + 3.
#pragma GCC unroll 4
  for (int c = 0; c < 4; c++) {
    const __m512i low01 = _mm512_shuffle_i32x4(a[c], a[4 + c], 0x44), high01 = _mm512_shuffle_i32x4(a[c], a[4 + c], 0xee);
    const __m512i low23 = _mm512_shuffle_i32x4(a[8 + c], a[12 + c], 0x44), high23 = _mm512_shuffle_i32x4(a[8 + c], a[12 + c], 0xee);
    _mm512_storeu_si512(to + c * 32, _mm512_shuffle_i32x4(low01, low23, 0x88));
    _mm512_storeu_si512(to + (4 + c) * 32, _mm512_shuffle_i32x4(low01, low23, 0xdd));
    _mm512_storeu_si512(to + (8 + c) * 32, _mm512_shuffle_i32x4(high01, high23, 0x88));
    _mm512_storeu_si512(to + (12 + c) * 32, _mm512_shuffle_i32x4(high01, high23, 0xdd));
  }
}

/** Asks for a cache line that is needed soon, not next. */
PIPELINE_INLINE void askFor(const float* from) { __builtin_prefetch(from, 0, 2); }

/**
 * Packs the step from `d` on of `halves` half panels from `column` on, of a weight that is read along its rows, `apart` values from one
 * panel to the next. Each row is read once, and those of the next step are asked for, since each lies on a page of its own.
 */
PIPELINE_BF16 PIPELINE_INLINE void packAlong(const ThirdsWeight& w, int64_t column, int64_t halves, int64_t d, uint16_t* to, int64_t apart,
                                             __m512i* bits) {
  for (int64_t i = 0; i < 16; i++)
    for (int64_t half = 0; half < halves; half++) {
      const __mmask16 lanes = lanesOf(w.columns - column - half * 16);
      const float* const from = w.weight + (d + i) * w.columns + column + half * 16;
      askFor(from + kBlock * w.columns);
      askFor(from + (kBlock + 16) * w.columns);
      const __m512 first = _mm512_maskz_loadu_ps(d + i < w.depth ? lanes : 0, from);
      const __m512 second = _mm512_maskz_loadu_ps(d + 16 + i < w.depth ? lanes : 0, from + 16 * w.columns);
      bits[half * 16] = largerBits(largerBits(bits[half * 16], first), second);
      __m512i thirds[3];
      splitPairs(first, second, thirds);
      uint16_t* const at = to + half / 2 * apart + half % 2 * (kStep / 2) + i * 32;
#pragma GCC unroll 3
      for (int third = 0; third < 3; third++) _mm512_storeu_si512(at + third * kStep, thirds[third]);
    }
}

/** The same of one half panel of a weight whose columns lie along memory. */
PIPELINE_BF16 PIPELINE_INLINE void packAcross(const ThirdsWeight& w, int64_t column, int64_t d, uint16_t* to, __m512i* bits) {
  constexpr int64_t ahead = 4 * kBlock;
  alignas(64) uint16_t rows[3][16 * 32];
  for (int64_t i = 0; i < 16; i++) {
    const bool there = column + i < w.columns;
    const float* const from = w.weight + (column + i) * w.depth + d;
    askFor(from + ahead);
    askFor(from + ahead + 16);
    const __m512 first = _mm512_maskz_loadu_ps(there ? lanesOf(w.depth - d) : 0, from);
    const __m512 second = _mm512_maskz_loadu_ps(there ? lanesOf(w.depth - d - 16) : 0, from + 16);
    bits[i] = largerBits(largerBits(bits[i], first), second);
    __m512i thirds[3];
    splitPairs(first, second, thirds);
#pragma GCC unroll 3
    for (int third = 0; third < 3; third++) _mm512_store_si512(rows[third] + i * 32, thirds[third]);
  }
#pragma GCC unroll 3
  for (int third = 0; third < 3; third++) turnPairs(rows[third], to + third * kStep);
}

/**
 * Packs steps [from, to) of `count` panels of B from panel `first` on, `apart` values apart. `bits` has for each half panel 16
 * vectors, zero at first, of the largest |number|s that were seen in any of the parts.
 */
PIPELINE_BF16 inline void packPanels(const ThirdsWeight& w, int64_t first, int64_t count, int64_t from, int64_t to, uint16_t* packed,
                                     int64_t apart, __m512i* bits) {
  const int64_t column = first * kBlock, halves = 2 * count;
  if (!w.transposed)
    for (int64_t step = from; step < to; step++)
      packAlong(w, column, halves, step * kBlock, packed + (step - from) * kThirdsStep, apart, bits);
  else
    for (int64_t half = 0; half < halves; half++)
      for (int64_t step = from; step < to; step++)
        packAcross(w, column + half * 16, step * kBlock,
                   packed + half / 2 * apart + (step - from) * kThirdsStep + half % 2 * (kStep / 2), bits + half * 16);
}

/** Whether any of `count` half panels has a column out of bounds, from what packing has seen of all their depth. */
PIPELINE_BF16 inline bool oddPanels(const ThirdsWeight& w, int64_t count, const __m512i* bits) {
  uint32_t odd = 0;
  for (int64_t half = 0; half < count; half++)
    if (!w.transposed) odd |= oddLanes(bits[half * 16]);
    else
      for (int64_t i = 0; i < 16; i++)
        odd |= oddLargest(bits[half * 16 + i]);
  return odd;
}

}  // namespace pipeline
#endif
