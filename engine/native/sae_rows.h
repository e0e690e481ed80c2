/**
 * What updates of weights latent by latent share: sums of rows, and the optimisers on a row of a weight and its moments.
 *
 *   adam, adamw   m ← β₁m + (1−β₁)g   v ← β₂v + (1−β₂)g²   w ← w (1 − rate·decay) − rate/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)
 *   signum        m ← β₁m + (1−β₁)g   w ← w − rate · sign(m)
 */
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "lanes.h"

namespace pipeline {

struct Rule {
  float rate, beta1, beta2, epsilon, correct1, correct2, decay, clip;  // correct: 1 − βᵗ, and its root for the second
  bool signum;
};

/** A weight and its moments, or their rows. */
struct Slot {
  float *weight, *first, *second;
  Slot at(int64_t offset) const { return {weight + offset, first + offset, second + offset}; }
};

template <int W>
PIPELINE_INLINE F<W> root(F<W> x) {
  float lanes[W];
  store<W>(lanes, x);
  for (int i = 0; i < W; i++) lanes[i] = std::sqrt(lanes[i]);
  return load<W>(lanes);
}

/** One step of the optimiser for W weights. */
template <int W>
PIPELINE_INLINE F<W> moved(const Rule& rule, F<W> weight, F<W> gradient, F<W>& first, F<W>& second) {
  const F<W> g = gradient * rule.clip;
  first = first * rule.beta1 + g * (1 - rule.beta1);
  if (rule.signum) {
    const F<W> up = weight - rule.rate, down = weight + rule.rate;
    return first > 0.f ? up : first < 0.f ? down : weight;
  }
  second = second * rule.beta2 + g * g * (1 - rule.beta2);
  const F<W> divisor = root<W>(second) * (1 / rule.correct2) + rule.epsilon;
  return weight * (1 - rule.rate * rule.decay) - first / divisor * (rule.rate / rule.correct1);
}

template <int W>
PIPELINE_INLINE void moveRow(const Rule& rule, const Slot& slot, const float* gradient, int64_t size) {
  for (int64_t i = 0; i < size; i += W) {
    const int64_t left = size - i;
    if (left >= W) {
      F<W> first = load<W>(slot.first + i), second = load<W>(slot.second + i);
      store<W>(slot.weight + i, moved<W>(rule, load<W>(slot.weight + i), load<W>(gradient + i), first, second));
      store<W>(slot.first + i, first);
      store<W>(slot.second + i, second);
    } else {
      F<W> first = loadPart<W>(slot.first + i, left), second = loadPart<W>(slot.second + i, left);
      storePart<W>(slot.weight + i,
                   moved<W>(rule, loadPart<W>(slot.weight + i, left), loadPart<W>(gradient + i, left), first, second), left);
      storePart<W>(slot.first + i, first, left);
      storePart<W>(slot.second + i, second, left);
    }
  }
}

/** to += a·row, for whole vectors; `size` is a multiple of W in padded rows, and the rest is done one by one. */
template <int W>
PIPELINE_INLINE void addScaled(const float* row, float a, float* to, int64_t size) {
  int64_t i = 0;
  const F<W> va = splat<W>(a);
  for (; i + W <= size; i += W) store<W>(to + i, load<W>(to + i) + va * load<W>(row + i));
  if (const int64_t left = size - i) storePart<W>(to + i, loadPart<W>(to + i, left) + va * loadPart<W>(row + i, left), left);
}

template <int W>
PIPELINE_INLINE void addScaledPair(const float* one, float a, const float* two, float b, float* to, int64_t size) {
  int64_t i = 0;
  const F<W> va = splat<W>(a), vb = splat<W>(b);
  for (; i + W <= size; i += W) store<W>(to + i, load<W>(to + i) + va * load<W>(one + i) + vb * load<W>(two + i));
  if (const int64_t left = size - i)
    storePart<W>(to + i, loadPart<W>(to + i, left) + va * loadPart<W>(one + i, left) + vb * loadPart<W>(two + i, left), left);
}

template <int W>
PIPELINE_INLINE float product(const float* a, const float* b, int64_t size) {
  F<W> total = F<W>{};
  int64_t i = 0;
  for (; i + W <= size; i += W) total += load<W>(a + i) * load<W>(b + i);
  if (const int64_t left = size - i) total += loadPart<W>(a + i, left) * loadPart<W>(b + i, left);
  return sum<W>(total);
}

/** to += Σ a_j·row_j over four rows, so that sums go through memory less often. */
template <int W>
PIPELINE_INLINE void addScaledFour(const float* const* rows, const float* a, float* to, int64_t size) {
  const float *r0 = rows[0], *r1 = rows[1], *r2 = rows[2], *r3 = rows[3];
  const F<W> a0 = splat<W>(a[0]), a1 = splat<W>(a[1]), a2 = splat<W>(a[2]), a3 = splat<W>(a[3]);
  int64_t i = 0;
  for (; i + W <= size; i += W)
    store<W>(to + i, load<W>(to + i) + a0 * load<W>(r0 + i) + a1 * load<W>(r1 + i) + a2 * load<W>(r2 + i) + a3 * load<W>(r3 + i));
  if (const int64_t left = size - i)
    storePart<W>(to + i,
                 loadPart<W>(to + i, left) + a0 * loadPart<W>(r0 + i, left) + a1 * loadPart<W>(r1 + i, left) +
                     a2 * loadPart<W>(r2 + i, left) + a3 * loadPart<W>(r3 + i, left),
                 left);
}

/** out_j = a · row_j for four rows. */
template <int W>
PIPELINE_INLINE void productFour(const float* a, const float* const* rows, float* out, int64_t size) {
  const float *r0 = rows[0], *r1 = rows[1], *r2 = rows[2], *r3 = rows[3];
  F<W> t0 = F<W>{}, t1 = F<W>{}, t2 = F<W>{}, t3 = F<W>{};
  int64_t i = 0;
  for (; i + W <= size; i += W) {
    const F<W> value = load<W>(a + i);
    t0 += value * load<W>(r0 + i);
    t1 += value * load<W>(r1 + i);
    t2 += value * load<W>(r2 + i);
    t3 += value * load<W>(r3 + i);
  }
  if (const int64_t left = size - i) {
    const F<W> value = loadPart<W>(a + i, left);
    t0 += value * loadPart<W>(r0 + i, left);
    t1 += value * loadPart<W>(r1 + i, left);
    t2 += value * loadPart<W>(r2 + i, left);
    t3 += value * loadPart<W>(r3 + i, left);
  }
  out[0] = sum<W>(t0);
  out[1] = sum<W>(t1);
  out[2] = sum<W>(t2);
  out[3] = sum<W>(t3);
}

/** Asks early for the rows that a later entry will add. */
inline void foresee(const float* row, int64_t size) {
  for (int64_t i = 0; i < size; i += 16) __builtin_prefetch(row + i);
}

}  // namespace pipeline
