/** Weights packed for bfloat16 products, kept by id while the weight lives. */
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

namespace pipeline {

/** Memory that grows to what a thread asks for and begins on a cache line; one for each thread, overwritten by each call. */
float* scratch(int64_t floats);

/** The same, apart from it: what the thread that calls an op lays out for all. */
float* sharedScratch(int64_t floats);

/** Asks for large pages under memory that nothing was written to yet: rows of weights are read in any order, each on pages of its own. */
void askForLargePages(void* data, size_t bytes);

/** Zeroed memory in large pages where the system has them: a product walks through megabytes, and small pages slow it. */
class LargeMemory {
 public:
  explicit LargeMemory(size_t bytes);
  ~LargeMemory();
  LargeMemory(const LargeMemory&) = delete;
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  void* data_;
  size_t bytes_;
};

/** Values in bfloat16, packed as bf16.h's operand B. */
struct PackedWeight {
  explicit PackedWeight(int64_t values) : memory(static_cast<size_t>(values) * 2) {}
  uint16_t* data() const { return static_cast<uint16_t*>(memory.data()); }
  LargeMemory memory;
};
typedef std::shared_ptr<const PackedWeight> Packed;

/** bfloat16 values in the packed form of a weight. */
int64_t packedValues(int64_t inputs, int64_t outputs);

/** The packed form of a weight, for the caller alone. */
Packed packWeight(const float* weight, int64_t inputs, int64_t outputs, bool transposed);

/** The same kept under an id: the packed form of a weight [inputs, outputs], or [outputs, inputs] when transposed. */
Packed packedWeight(int32_t id, const float* weight, int64_t inputs, int64_t outputs, bool transposed);

/** Forgets a weight. */
void releaseWeight(int32_t id);

}  // namespace pipeline
