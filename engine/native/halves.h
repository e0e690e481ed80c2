/** float16 as its 16 bits, and float32: each way the same numbers whatever the instructions, NaN as the one NaN of its sign. */
#pragma once
#include <cstdint>

namespace pipeline {

/** floats[i] = the number of halves[i]. */
void widenHalves(const uint16_t* halves, float* floats, int64_t count);

/** halves[i] = the half nearest to floats[i], ties to even. */
void roundToHalves(const float* floats, uint16_t* halves, int64_t count);

}  // namespace pipeline
