/** Packing weights for bfloat16 products, and the memory of those packed. */
#include "packed.h"

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <unordered_map>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "bf16.h"
#include "threads.h"

namespace pipeline {
namespace {

constexpr size_t kPage = 2 << 20;

std::mutex& guard() {
  static auto* const mutex = new std::mutex();
  return *mutex;
}

std::unordered_map<int32_t, Packed>& kept() {
  static auto* const weights = new std::unordered_map<int32_t, Packed>();
  return *weights;
}

}  // namespace

void askForLargePages(void* data, size_t bytes) {
#if defined(__linux__)
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + kPage - 1) / kPage * kPage;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) / kPage * kPage;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

LargeMemory::LargeMemory(size_t bytes) : data_(nullptr), bytes_(bytes) {
  const bool large = bytes >= kPage / 8;
  const size_t alignment = large ? kPage : 64, whole = (bytes + alignment) / alignment * alignment;
  if (posix_memalign(&data_, alignment, whole) != 0) throw std::bad_alloc();
  if (large) askForLargePages(data_, whole);
  std::memset(data_, 0, whole);
}

LargeMemory::~LargeMemory() { std::free(data_); }

namespace {
float* grown(std::unique_ptr<LargeMemory>& memory, int64_t floats) {
  const size_t bytes = static_cast<size_t>(floats) * 4;
  if (!memory || memory->bytes() < bytes) {
    memory.reset();
    memory = std::make_unique<LargeMemory>(bytes + bytes / 4);
  }
  return static_cast<float*>(memory->data());
}
}  // namespace

float* scratch(int64_t floats) {
  static thread_local std::unique_ptr<LargeMemory> memory;
  return grown(memory, floats);
}

float* sharedScratch(int64_t floats) {
  static thread_local std::unique_ptr<LargeMemory> memory;
  return grown(memory, floats);
}

#if PIPELINE_X86
int64_t packedValues(int64_t inputs, int64_t outputs) { return blocksOf(outputs) * blocksOf(inputs) * kStep; }

Packed packWeight(const float* weight, int64_t inputs, int64_t outputs, bool transposed) {
  const int64_t steps = blocksOf(inputs);
  auto packed = std::make_shared<PackedWeight>(packedValues(inputs, outputs));
  const int64_t across = transposed ? inputs : 1, along = transposed ? 1 : outputs;
  parallel(blocksOf(outputs), 4, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; panel++)
      for (int64_t input = 0; input < inputs; input++) {
        uint16_t* to = packed->data() + (panel * steps + input / kBlock) * kStep + input % kBlock / 2 * kBlock + input % 2;
        for (int64_t i = 0; i < kBlock && panel * kBlock + i < outputs; i++)
          to[i / 16 * (kStep / 2) + i % 16 * 2] = bfloat16Of(weight[(panel * kBlock + i) * across + input * along]);
      }
  });
  return packed;
}

Packed packedWeight(int32_t id, const float* weight, int64_t inputs, int64_t outputs, bool transposed) {
  {
    const std::lock_guard<std::mutex> lock(guard());
    const auto found = kept().find(id);
    if (found != kept().end()) return found->second;
  }
  Packed packed = packWeight(weight, inputs, outputs, transposed);
  const std::lock_guard<std::mutex> lock(guard());
  return kept().emplace(id, packed).first->second;
}
#endif

void releaseWeight(int32_t id) {
  const std::lock_guard<std::mutex> lock(guard());
  kept().erase(id);
}

}  // namespace pipeline
