/**
 * GELU of a vector:
 *
 *   erf form:   u Φ(u),  Φ(u) = erfc(-u / √2) / 2
 *   tanh form:  u / (1 + exp(-2 √(2/π) (u + 0.044715 u³)))
 *
 * erfc(a) = exp(-a²) t P(t) with t = 1 / (1 + 0.4 a), a ≥ 0; P is a minimax fit of degree 9 to 8e-9 relative on [0, 10].
 */
#pragma once
#include "lanes.h"

namespace pipeline {

template <int W>
PIPELINE_INLINE F<W> geluTanh(F<W> u) {
  const F<W> inner = u * (u * u * 0.0713548162726f + 1.59576912160573f);
  return u / (exponential<W>(-inner) + 1.f);
}

template <int W>
PIPELINE_INLINE F<W> geluErf(F<W> u) {
  const F<W> a = magnitude<W>(u) * 0.70710678118654752f;
  const F<W> t = 1.f / (a * 0.4f + 1.f);
  F<W> p = splat<W>(-0.029594338f);
  p = p * t + 0.198013219f;
  p = p * t + -0.498811501f;
  p = p * t + 0.54743545f;
  p = p * t + -0.284366691f;
  p = p * t + 0.272066235f;
  p = p * t + 0.129679603f;
  p = p * t + 0.2149191f;
  p = p * t + 0.224952022f;
  p = p * t + 0.225706909f;
  const F<W> tail = exponential<W>(-a * a) * (p * t * 0.5f);
  return u * (u < 0.f ? tail : 1.f - tail);
}

}  // namespace pipeline
