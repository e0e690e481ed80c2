/** A pool of threads for the kernels. The calling thread works too, so one thread means no pool at all. */
#pragma once
#include <cstdint>

namespace pipeline {

/** Work on the range [begin, end) of something; `context` is the caller's. */
typedef void (*RangeWork)(const void* context, int64_t begin, int64_t end);

/** How many threads `parallelFor` uses, the caller included. */
int threadCount();
void setThreadCount(int threads);

/**
 * Runs `work` over [0, total) in pieces of `grain` and returns when all are done. Which thread takes which piece is open,
 * where the pieces begin and end is not: a kernel whose pieces write apart from one another gives the same bytes for any
 * number of threads. Calls from within a piece, or from two threads at once, run on the calling thread alone.
 */
void parallelFor(int64_t total, int64_t grain, RangeWork work, const void* context);

/** The same, for a callable taking (begin, end). */
template <class Callable>
void parallel(int64_t total, int64_t grain, const Callable& callable) {
  parallelFor(
      total, grain,
      [](const void* context, int64_t begin, int64_t end) { (*static_cast<const Callable*>(context))(begin, end); },
      &callable);
}

}  // namespace pipeline
