/**
 * The pool: pieces are taken from one counter; idle threads spin for some microseconds, then sleep. A call waits for threads that
 * have begun to help, never for one to wake: on a busy machine that may take as long as the work.
 */
#include "threads.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "small_numbers.h"

namespace pipeline {
namespace {

struct Job {
  RangeWork work = nullptr;
  const void* context = nullptr;
  int64_t total = 0;
  int64_t grain = 1;
};

/** Long enough to bridge the gap between two ops of one layer, short enough to leave the cores to others. */
constexpr auto kSpin = std::chrono::microseconds(40);

class Pool {
 public:
  void resize(int threads) {
    std::lock_guard<std::mutex> busy(busy_);
    target_.store(threads);
    while (static_cast<int>(workers_.size()) < threads - 1) {
      const int index = static_cast<int>(workers_.size());
      workers_.emplace_back([this, index] { serve(index); });
    }
  }

  int size() const { return target_.load(); }

  void run(const Job& job) {
    const int64_t pieces = (job.total + job.grain - 1) / job.grain;
    std::unique_lock<std::mutex> busy(busy_, std::try_to_lock);
    const int64_t helpers = std::min<int64_t>(size() - 1, pieces - 1);
    if (helpers < 1 || inside_ || !busy.owns_lock()) {
      const FlushSmall flush;
      for (int64_t begin = 0; begin < job.total; begin += job.grain)
        job.work(job.context, begin, std::min(begin + job.grain, job.total));
      return;
    }
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = job;
      next_.store(0, std::memory_order_relaxed);
      helpers_ = static_cast<int>(helpers);
      open_ = true;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    take(job);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      open_ = false;
    }
    while (helping_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
  }

 private:
  void take(const Job& job) {
    const FlushSmall flush;
    inside_ = true;
    for (;;) {
      const int64_t begin = next_.fetch_add(job.grain, std::memory_order_relaxed);
      if (begin >= job.total) break;
      job.work(job.context, begin, std::min(begin + job.grain, job.total));
    }
    inside_ = false;
  }

  void serve(int index) {
    uint64_t seen = 0;
    for (;;) {
      const auto until = std::chrono::steady_clock::now() + kSpin;
      while (generation_.load(std::memory_order_acquire) == seen && std::chrono::steady_clock::now() < until) {
      }
      Job job;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
        seen = generation_.load(std::memory_order_relaxed);
        if (!open_ || index >= helpers_) continue;
        job = job_;
        helping_.fetch_add(1, std::memory_order_relaxed);
      }
      take(job);
      helping_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::mutex busy_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::thread> workers_;
  std::atomic<int> target_{1};
  std::atomic<uint64_t> generation_{0};
  std::atomic<int64_t> next_{0};
  std::atomic<int> helping_{0};
  // Below the mutex: how many threads may help with the job, and whether it still has pieces to take.
  int helpers_ = 0;
  bool open_ = false;
  Job job_;
  static thread_local bool inside_;
};

thread_local bool Pool::inside_ = false;

/** Never destroyed: its threads run until the process ends. */
Pool& pool() {
  static Pool* const instance = new Pool();
  return *instance;
}

}  // namespace

int threadCount() { return pool().size(); }

void setThreadCount(int threads) { pool().resize(threads < 1 ? 1 : threads); }

void parallelFor(int64_t total, int64_t grain, RangeWork work, const void* context) {
  if (total > 0) pool().run(Job{work, context, total, grain < 1 ? 1 : grain});
}

}  // namespace pipeline
