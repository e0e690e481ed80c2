/** Column sums in a fixed order of blocks. */
#pragma once
#include <cstdint>

namespace pipeline {

/**
 * Sums of the columns of a matrix, in the order of `sae/summation.ts`: four interleaved partial sums, each in blocks of 16, of
 * 16 blocks, and so on. Where a sum is zero but for rounding, as the gradient of a decoder bias that starts at the mean, Adam's
 * first step makes a full step of that rounding, so the fused step must round as the plain one does.
 */
void columnSums(const float* matrix, int64_t rows, int64_t columns, float* sums);

}  // namespace pipeline
