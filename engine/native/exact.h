/** Arithmetic that is the same, bit for bit, as in JavaScript: nothing fused, and numbers too small to be normal kept. */
#pragma once
#include <cstdint>

#include "isa.h"
#include "small_numbers.h"

namespace pipeline {

/** a², rounded before it is added to anything. A file that uses it begins with PIPELINE_UNFUSED. */
PIPELINE_INLINE double squareOf(double a) {
#if defined(__clang__)
  return __arithmetic_fence(a * a);
#else
  return a * a;
#endif
}

}  // namespace pipeline

#if defined(__clang__)
#define PIPELINE_UNFUSED
#else
#define PIPELINE_UNFUSED _Pragma("GCC optimize(\"fp-contract=off\")")
#endif
