/**
 * Rows of floats as small whole numbers: a row is nearly `scale` times whole numbers, and how far it is from that is known.
 *
 *   v = scale · q + e,    q whole,    |q| ≤ the form's largest
 *
 * Whole numbers are bytes, four in a cell of 32 bits. What one step of 16 cells along the depth needs of 32 rows lies together,
 * as rows of A or as columns of B:
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
constexpr int64_t kDepthOfStep = 4 * kCells;

/** Half a unit in the last place of 1: the largest relative error of one rounding. */
constexpr double kUnit = 1.0 / (1 << 24);

inline int64_t stepsOf(int64_t depth) { return (depth + kDepthOfStep - 1) / kDepthOfStep; }

/** Which whole numbers an operand of a product may hold. */
struct Range {
  int64_t largest;
  /**
   * The largest norm of a half step: the first two numbers of each of its cells, or the last two; 0 for any. Products of halves are
   * at most the product of their norms, and so known to fit a sum of 16 bits.
   */
  double half;
};

/** Which whole numbers a product takes. */
struct Form {
  Range rows, latents;
  bool offset;  // A holds bytes without sign, 128 above q
  bool halves;  // sums of half steps begin with numbers of their own
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

/** The larger sum of squares of a step's two halves, of its squares by lane. */
template <int W>
PIPELINE_INLINE float largerHalf(F<W> squares) {
  float lanes[W], halves[2] = {0, 0};
  store<W>(lanes, squares);
  for (int lane = 0; lane < W; lane++) halves[lane >> 1 & 1] += lanes[lane];
  return std::max(halves[0], halves[1]);
}

/**
 * Rounds a row less `mean` (null for none) to whole numbers, padded with zeros to whole steps. Sums of n squares in float32 are off
 * by less than n + 8 roundings, and squares below the smallest normal number are lost: both are added.
 */
template <int W>
PIPELINE_INLINE Norms roundRow(const Range& range, const float* row, const float* mean, int64_t depth, int8_t* to) {
  Norms norms;
  const int64_t padded = stepsOf(depth) * kDepthOfStep;
  F<W> most = F<W>{}, squares = F<W>{}, errors = F<W>{};
  float half = 0;  // the largest sum of squares of a half step
  for (int64_t from = 0; from < depth; from += kDepthOfStep) {
    F<W> own = F<W>{};
    for (int64_t i = from; i < std::min(depth, from + kDepthOfStep); i += W) {
      const F<W> value = centredPart<W>(row, mean, i, depth);
      most = larger<W>(magnitude<W>(value), most);
      own += value * value;
    }
    squares += own;
    if (range.half > 0) half = std::max(half, largerHalf<W>(own));
  }
  const float top = largest<W>(most), square = sum<W>(squares);
  norms.usable = square < 1e30f && top < 1e15f;
  float scale = top / static_cast<float>(range.largest);
  // Rounding adds at most half to each of a half step's 32 numbers, √8 to their norm; squares too small to be normal are lost.
  if (range.half > 0) {
    const double norm = std::sqrt(half + kDepthOfStep * 2.4e-38) * 1.0001;
    scale = std::max(scale, static_cast<float>(norm / (range.half - 2.84)));
  }
  const float inverse = 1 / scale;
  const double n = static_cast<double>(depth);
  if (!norms.usable || !(scale > 1e-30f)) {
    // Numbers so small that nothing is gained by knowing them: all of them count as error.
    std::memset(to, 0, static_cast<size_t>(padded));
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
    const typename Narrow<W>::Bytes bytes = __builtin_convertvector(q, typename Narrow<W>::Bytes);
    std::memcpy(to + i, &bytes, sizeof bytes);
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
