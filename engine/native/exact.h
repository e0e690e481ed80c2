/** Arithmetic that is the same, bit for bit, as in JavaScript: nothing fused, and numbers too small to be normal kept. */
#pragma once
#include <cstdint>

#include "isa.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace pipeline {

/** While it lives, this thread keeps numbers that are too small to be normal; the pool's threads take them for zero else. */
class KeepSmall {
 public:
#if defined(__SSE2__)
  KeepSmall() : before_(_mm_getcsr()) { _mm_setcsr(before_ & ~0x8040u); }
  ~KeepSmall() { _mm_setcsr(before_); }

 private:
  const unsigned before_;
#elif defined(__aarch64__)
  KeepSmall() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" ::"r"(before_ & ~(1ull << 24)));
  }
  ~KeepSmall() { asm volatile("msr fpcr, %0" ::"r"(before_)); }

 private:
  uint64_t before_;
#endif
};

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
