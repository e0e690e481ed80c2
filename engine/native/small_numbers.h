/** What a thread makes of numbers too small to be normal: zero, as TensorFlow's threads do, or what they are. */
#pragma once
#include <cstdint>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace pipeline {

/** While it lives, this thread takes numbers too small to be normal for zero, or keeps them; then it does as before. */
template <bool Flush>
class SmallNumbers {
 public:
  SmallNumbers(const SmallNumbers&) = delete;
#if defined(__SSE2__)
  SmallNumbers() : before_(_mm_getcsr()) { _mm_setcsr(Flush ? before_ | kFlush : before_ & ~kFlush); }
  ~SmallNumbers() { _mm_setcsr(before_); }

 private:
  static constexpr unsigned kFlush = 0x8040;  // results are flushed to zero, and operands taken for zero
  const unsigned before_;
#elif defined(__aarch64__)
  SmallNumbers() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" ::"r"(Flush ? before_ | kFlush : before_ & ~kFlush));
  }
  ~SmallNumbers() { asm volatile("msr fpcr, %0" ::"r"(before_)); }

 private:
  static constexpr uint64_t kFlush = 1ull << 24;
  uint64_t before_;
#else
  SmallNumbers() {}
#endif
};

/** TensorFlow sets it on the threads that call ops; without it here a result would depend on which thread computed it. */
using FlushSmall = SmallNumbers<true>;
/** As JavaScript has them. */
using KeepSmall = SmallNumbers<false>;

}  // namespace pipeline
