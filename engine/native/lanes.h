/**
 * Vectors of W floats in the compiler's own vector types, so that one source serves AVX-512 (16), AVX2 (8), SSE2 and NEON
 * (4). Tails go through a padded copy: an element's value never depends on where in a row or piece it lies.
 */
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "isa.h"

namespace pipeline {

template <int W>
struct Lanes {
  typedef float F __attribute__((vector_size(W * 4)));
  typedef int32_t I __attribute__((vector_size(W * 4)));
};
template <int W>
using F = typename Lanes<W>::F;
template <int W>
using I = typename Lanes<W>::I;

template <int W>
PIPELINE_INLINE F<W> splat(float value) {
  return value - F<W>{};  // minus, since plus zero would change -0 and so is not left out by compilers
}

/**
 * The same from memory. Compilers build it from halves, which costs products a third of their speed in AVX-512, and in AVX2 on
 * processors whose shuffles share ports with products (AMD's).
 */
template <int W>
PIPELINE_INLINE F<W> splatFrom(const float* from) {
#if PIPELINE_X86
  if constexpr (W == 16) {
    F<W> value;
    asm("vbroadcastss %1, %0" : "=v"(value) : "m"(*from));
    return value;
  }
  if constexpr (W == 8) {
    F<W> value;
    asm("vbroadcastss %1, %0" : "=x"(value) : "m"(*from));
    return value;
  }
#endif
  return splat<W>(*from);
}

template <int W>
PIPELINE_INLINE F<W> load(const float* from) {
  F<W> value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <int W>
PIPELINE_INLINE void store(float* to, F<W> value) {
  std::memcpy(to, &value, sizeof value);
}

/** The first `count` floats; the other lanes are `fill`. */
template <int W>
PIPELINE_INLINE F<W> loadPart(const float* from, int64_t count, float fill = 0) {
  float padded[W];
  for (int i = 0; i < W; i++) padded[i] = i < count ? from[i] : fill;
  return load<W>(padded);
}

template <int W>
PIPELINE_INLINE void storePart(float* to, F<W> value, int64_t count) {
  float padded[W];
  store<W>(padded, value);
  for (int i = 0; i < count; i++) to[i] = padded[i];
}

/** Sum of the lanes, halves first. */
template <int W>
PIPELINE_INLINE float sum(F<W> value) {
  float lanes[W];
  store<W>(lanes, value);
  for (int half = W / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
  return lanes[0];
}

template <int W>
PIPELINE_INLINE float largest(F<W> value) {
  float lanes[W];
  store<W>(lanes, value);
  for (int half = W / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) lanes[i] = lanes[i] > lanes[i + half] ? lanes[i] : lanes[i + half];
  return lanes[0];
}

template <int W>
PIPELINE_INLINE F<W> larger(F<W> a, F<W> b) {
  return a > b ? a : b;
}

template <int W>
PIPELINE_INLINE F<W> smaller(F<W> a, F<W> b) {
  return a < b ? a : b;
}

/** Bit i is set where a[i] > b[i]. By name, as below, since compilers compare number by number. */
template <int W>
PIPELINE_INLINE uint32_t maskAbove(F<W> a, F<W> b) {
#if PIPELINE_X86
  if constexpr (W == 16) {
    uint32_t mask;
    asm("vcmpps $14, %2, %1, %%k1\n\tkmovw %%k1, %0" : "=r"(mask) : "v"(a), "v"(b) : "k1");
    return mask;
  }
  if constexpr (W == 8) {
    const I<W> above = a > b;
    uint32_t mask;
    asm("vmovmskps %1, %0" : "=r"(mask) : "x"(above));
    return mask;
  }
#endif
  uint32_t mask = 0;
  for (int i = 0; i < W; i++) mask |= static_cast<uint32_t>(a[i] > b[i]) << i;
  return mask;
}

/** The same of whole numbers. */
template <int W>
PIPELINE_INLINE uint32_t maskAbove(I<W> a, I<W> b) {
#if PIPELINE_X86
  if constexpr (W == 16) {
    uint32_t mask;
    asm("vpcmpgtd %2, %1, %%k1\n\tkmovw %%k1, %0" : "=r"(mask) : "v"(a), "v"(b) : "k1");
    return mask;
  }
  if constexpr (W == 8) {
    uint32_t mask;
    I<8> above;
    asm("vpcmpgtd %3, %2, %1\n\tvmovmskps %1, %0" : "=r"(mask), "=&x"(above) : "x"(a), "x"(b));
    return mask;
  }
#endif
  const I<W> above = a > b;
  uint32_t mask = 0;
  for (int i = 0; i < W; i++) mask |= static_cast<uint32_t>(above[i] & 1) << i;
  return mask;
}

template <int W>
PIPELINE_INLINE F<W> magnitude(F<W> x) {
  return reinterpret_cast<F<W>>(reinterpret_cast<I<W>>(x) & 0x7fffffff);
}

/**
 * e^x within 2 units in the last place; 0 below -87.3 and inf above 88.7, NaN stays NaN. x = n ln 2 + r with |r| ≤ ln 2 / 2,
 * e^r by its Taylor series to r⁷ (remainder below 6e-9), 2ⁿ in two factors so that neither overflows.
 */
template <int W>
PIPELINE_INLINE F<W> exponential(F<W> x) {
  const F<W> high = splat<W>(89.f), low = splat<W>(-104.f);
  F<W> bounded = x > high ? high : x;
  bounded = bounded < low ? low : bounded;
  const F<W> round = splat<W>(12582912.f);  // 1.5 · 2²³: adding it leaves the nearest integer in the low bits
  const F<W> shifted = bounded * 1.44269504088896341f + round;
  const F<W> n = shifted - round;
  F<W> r = bounded - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  F<W> p = splat<W>(1.f / 5040);
  p = p * r + 1.f / 720;
  p = p * r + 1.f / 120;
  p = p * r + 1.f / 24;
  p = p * r + 1.f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.f;
  p = p * r + 1.f;
  const I<W> exponent = reinterpret_cast<I<W>>(shifted) - 0x4b400000;
  const I<W> half = exponent >> 1;
  const F<W> first = reinterpret_cast<F<W>>((half + 127) << 23);
  const F<W> second = reinterpret_cast<F<W>>((exponent - half + 127) << 23);
  const F<W> value = p * first * second;
  return x != x ? x : (x < splat<W>(-87.3f) ? F<W>{} : value);
}

}  // namespace pipeline
