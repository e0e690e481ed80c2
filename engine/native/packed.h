/** Weights packed for AMX, kept by id while the weight lives. */
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

namespace pipeline {

/** Memory that grows to what a thread asks for and begins on a cache line; one for each thread, overwritten by each call. */
float* scratch(int64_t floats);

typedef std::shared_ptr<const std::vector<uint16_t>> Packed;

/** The packed form (amx.h, operand B) of a weight [inputs, outputs], or [outputs, inputs] when transposed. */
Packed packedWeight(int32_t id, const float* weight, int64_t inputs, int64_t outputs, bool transposed);

/** Forgets a weight. */
void releaseWeight(int32_t id);

}  // namespace pipeline
