/**
 * Rows of floats as small whole numbers: a row is nearly `scale` times whole numbers, and how far it is from that is known.
 *
 *   v = scale · q + e,    q whole,    |q| ≤ the form's largest
 *
 * Whole numbers lie in cells of 32 bits: four bytes, or two words of 16 bits where the processor multiplies no bytes. What one
 * step of 16 cells along the depth needs of 32 rows lies together, as rows of A or as columns of B:
 *
 *   A  [rows / 32][cells / 16][32 rows][16 cells]           B  [columns / 32][cells / 16][2][16 cells][16 columns]
 */
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "lanes.h"

namespace pipeline {
namespace screening {

constexpr int64_t kSide = 32;             // rows and columns of a block
constexpr int64_t kCells = 16;            // cells of a step
constexpr int64_t kStep = kSide * kCells;  // cells of an operand in a step

/** Half a unit in the last place of 1: the largest relative error of one rounding. */
constexpr double kUnit = 1.0 / (1 << 24);

/** Which whole numbers a product takes. */
struct Form {
  int64_t perCell;  // 4 bytes or 2 words
  int64_t largest;
  bool offset;  // A holds bytes without sign, 128 above q
  int64_t steps(int64_t depth) const { return (depth + perCell * kCells - 1) / (perCell * kCells); }
};

/** What is known of a row: `scale`, and Euclidean norms that are never too small. */
struct Norms {
  float scale = 0, whole = 0, error = 0;  // of v, and of e
  int32_t sum = 0;                        // Σ q
  bool usable = true;                     // finite and not so large that squares overflow
};

template <int W>
struct Narrow {
  typedef int8_t Bytes __attribute__((vector_size(W)));
  typedef int16_t Words __attribute__((vector_size(W * 2)));
};

/** Rounds W values of a row and adds up what the norms need. */
template <int W>
PIPELINE_INLINE I<W> rounded(F<W> value, F<W> scale, F<W> inverse, F<W>& errors) {
  const F<W> round = splat<W>(12582912.f);  // 1.5 · 2²³: adding it leaves the nearest integer in the low bits
  const F<W> shifted = value * inverse + round;
  const F<W> error = value - (shifted - round) * scale;
  errors += error * error;
  return reinterpret_cast<I<W>>(shifted) - 0x4b400000;
}

template <int W>
PIPELINE_INLINE F<W> centredPart(const float* row, const float* mean, int64_t i, int64_t depth) {
  const int64_t left = depth - i;
  const F<W> value = left >= W ? load<W>(row + i) : loadPart<W>(row + i, left);
  if (!mean) return value;
  return value - (left >= W ? load<W>(mean + i) : loadPart<W>(mean + i, left));
}

/**
 * Rounds a row less `mean` (null for none) to whole numbers, padded with zeros to `form.steps` steps. Sums of n squares in
 * float32 are off by less than n + 8 roundings, and squares below the smallest normal number are lost: both are added.
 */
template <int W>
PIPELINE_INLINE Norms roundRow(const Form& form, const float* row, const float* mean, int64_t depth, void* to) {
  Norms norms;
  const int64_t padded = form.steps(depth) * kCells * form.perCell;
  F<W> most = F<W>{}, squares = F<W>{}, errors = F<W>{};
  for (int64_t i = 0; i < depth; i += W) {
    const F<W> value = centredPart<W>(row, mean, i, depth);
    most = larger<W>(magnitude<W>(value), most);
    squares += value * value;
  }
  const float top = largest<W>(most), square = sum<W>(squares);
  norms.usable = square < 1e30f && top < 1e15f;
  const float scale = top / static_cast<float>(form.largest), inverse = static_cast<float>(form.largest) / top;
  const double n = static_cast<double>(depth);
  if (!norms.usable || !(scale > 1e-30f)) {
    // Numbers so small that nothing is gained by knowing them: all of them count as error.
    std::memset(to, 0, static_cast<size_t>(padded / form.perCell * 4));
    norms.whole = norms.error = top == 0 ? 0.f : static_cast<float>(top * std::sqrt(n) * 1.001);
    return norms;
  }
  norms.scale = scale;
  const F<W> by = splat<W>(scale), over = splat<W>(inverse);
  I<W> sums = I<W>{};
  for (int64_t i = 0; i < padded; i += W) {
    const F<W> value = i < depth ? centredPart<W>(row, mean, i, depth) : F<W>{};
    const I<W> q = rounded<W>(value, by, over, errors);
    sums += q;
    if (form.perCell == 4) {
      const typename Narrow<W>::Bytes bytes = __builtin_convertvector(q, typename Narrow<W>::Bytes);
      std::memcpy(static_cast<int8_t*>(to) + i, &bytes, sizeof bytes);
    } else {
      const typename Narrow<W>::Words words = __builtin_convertvector(q, typename Narrow<W>::Words);
      std::memcpy(static_cast<int16_t*>(to) + i, &words, sizeof words);
    }
  }
  for (int lane = 0; lane < W; lane++) norms.sum += sums[lane];
  const double slack = 1 + (n + 8) * kUnit, lost = n * 2.4e-38;
  const double whole = std::sqrt(square * slack + lost);
  norms.whole = static_cast<float>(whole * (1 + 4 * kUnit));
  // Beside e's own sum: the roundings of scale · q and of the difference, and those of taking the mean off.
  norms.error = static_cast<float>((std::sqrt(sum<W>(errors) * slack + lost) + 4 * kUnit * whole) * (1 + 4 * kUnit));
  return norms;
}

}  // namespace screening
}  // namespace pipeline
