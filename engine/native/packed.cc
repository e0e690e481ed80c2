/** Packing weights for AMX, and the memory of those packed. */
#include "packed.h"

#include <mutex>
#include <unordered_map>

#include "amx.h"
#include "threads.h"

namespace pipeline {
namespace {

std::mutex& guard() {
  static auto* const mutex = new std::mutex();
  return *mutex;
}

std::unordered_map<int32_t, Packed>& kept() {
  static auto* const weights = new std::unordered_map<int32_t, Packed>();
  return *weights;
}

}  // namespace

float* scratch(int64_t floats) {
  static thread_local std::vector<float> memory;
  if (static_cast<int64_t>(memory.size()) < floats + 16) memory.resize(floats + 16);
  const uintptr_t address = reinterpret_cast<uintptr_t>(memory.data());
  return reinterpret_cast<float*>((address + 63) / 64 * 64);
}

#if PIPELINE_X86
Packed packedWeight(int32_t id, const float* weight, int64_t inputs, int64_t outputs, bool transposed) {
  {
    const std::lock_guard<std::mutex> lock(guard());
    const auto found = kept().find(id);
    if (found != kept().end()) return found->second;
  }
  const int64_t steps = blocksOf(inputs);
  auto packed = std::make_shared<std::vector<uint16_t>>(blocksOf(outputs) * steps * kStep);
  const int64_t across = transposed ? inputs : 1, along = transposed ? 1 : outputs;
  parallel(blocksOf(outputs), 4, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; panel++)
      for (int64_t input = 0; input < inputs; input++) {
        uint16_t* to = packed->data() + (panel * steps + input / kBlock) * kStep + input % kBlock / 2 * kBlock + input % 2;
        for (int64_t i = 0; i < kBlock && panel * kBlock + i < outputs; i++)
          to[i / 16 * (kStep / 2) + i % 16 * 2] = bfloat16Of(weight[(panel * kBlock + i) * across + input * along]);
      }
  });
  const std::lock_guard<std::mutex> lock(guard());
  return kept().emplace(id, packed).first->second;
}
#endif

void releaseWeight(int32_t id) {
  const std::lock_guard<std::mutex> lock(guard());
  kept().erase(id);
}

}  // namespace pipeline
