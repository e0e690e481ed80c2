/**
 * Sums over rows of activations in float64: `rowSums` (by dimension Σx and Σwx, by row Σx²) and `deviations` (by dimension
 * Σ(x − mean)²), each in the order of the rows, as the plain versions in TypeScript have them.
 */
#include "exact.h"

PIPELINE_UNFUSED

#include <algorithm>

#include "host.h"
#include "threads.h"

namespace pipeline {
namespace {

/** Dimensions that a thread sums at once: four cache lines of a row. */
constexpr int64_t kStrip = 64;
/** Rows whose squares are summed side by side, so that none waits for the sum before it. */
constexpr int64_t kTogether = 8;

struct Rows {
  const float* values;
  const float* weight;
  const double* mean;
  int64_t rows, width;
  double *sums, *weighted, *squares, *m2;
};

template <int W>
PIPELINE_INLINE void sumStrip(const Rows& args, int64_t begin, int64_t end) {
  const KeepSmall exact;
  double sums[kStrip] = {}, weighted[kStrip] = {};
  for (int64_t row = 0; row < args.rows; row++) {
    const float* const x = args.values + row * args.width + begin;
    const double w = args.weight[row];
    for (int64_t i = 0; i < end - begin; i++) {
      sums[i] += x[i];
      weighted[i] += w * x[i];  // exact: both have 24 bits
    }
  }
  std::copy(sums, sums + (end - begin), args.sums + begin);
  std::copy(weighted, weighted + (end - begin), args.weighted + begin);
}
PIPELINE_KERNEL(sumDimensions, sumStrip, Rows)

template <int W>
PIPELINE_INLINE void squareStrip(const Rows& args, int64_t begin, int64_t end) {
  const KeepSmall exact;
  double m2[kStrip] = {};
  for (int64_t row = 0; row < args.rows; row++) {
    const float* const x = args.values + row * args.width + begin;
    for (int64_t i = 0; i < end - begin; i++) m2[i] += squareOf(x[i] - args.mean[begin + i]);
  }
  std::copy(m2, m2 + (end - begin), args.m2 + begin);
}
PIPELINE_KERNEL(squareDimensions, squareStrip, Rows)

template <int W>
PIPELINE_INLINE void squareRowsOf(const Rows& args, int64_t begin, int64_t end) {
  const KeepSmall exact;
  int64_t row = begin;
  for (; row + kTogether <= end; row += kTogether) {
    const float* const x = args.values + row * args.width;
    double squares[kTogether] = {};
    for (int64_t i = 0; i < args.width; i++)
      for (int64_t r = 0; r < kTogether; r++) squares[r] += squareOf(x[r * args.width + i]);
    std::copy(squares, squares + kTogether, args.squares + row);
  }
  for (; row < end; row++) {
    double squares = 0;
    for (int64_t i = 0; i < args.width; i++) squares += squareOf(args.values[row * args.width + i]);
    args.squares[row] = squares;
  }
}
PIPELINE_KERNEL(squareRows, squareRowsOf, Rows)

Rows rowsOf(const Arguments& given, int64_t rows, int64_t width) {
  const auto values = given.floats(0);
  require(rows >= 0 && width > 0 && values.size == rows * width, "The rows do not have this width.");
  return {values.data, nullptr, nullptr, rows, width, nullptr, nullptr, nullptr, nullptr};
}

/** (values [rows, width], weight [rows], sums [width], weighted [width], squares [rows]) */
void rowSums(const Arguments& given) {
  const auto weight = given.floats(1);
  const auto sums = given.doubles(2), weighted = given.doubles(3), squares = given.doubles(4);
  Rows args = rowsOf(given, weight.size, sums.size);
  require(weighted.size == sums.size && squares.size == weight.size, "The sums do not fit the rows.");
  args.weight = weight.data;
  args.sums = sums.data;
  args.weighted = weighted.data;
  args.squares = squares.data;
  parallel(args.rows, 1024, [&](int64_t begin, int64_t end) { squareRows(args, begin, end); });
  parallel(args.width, kStrip, [&](int64_t begin, int64_t end) { sumDimensions(args, begin, end); });
}
PIPELINE_HOST(rowSums);

/** (values [rows, width], mean [width], m2 [width]) */
void deviations(const Arguments& given) {
  const auto mean = given.doubles(1), m2 = given.doubles(2);
  require(mean.size > 0 && m2.size == mean.size, "The sums do not fit the mean.");
  Rows args = rowsOf(given, given.floats(0).size / mean.size, mean.size);
  args.mean = mean.data;
  args.m2 = m2.data;
  parallel(args.width, kStrip, [&](int64_t begin, int64_t end) { squareDimensions(args, begin, end); });
}
PIPELINE_HOST(deviations);

}  // namespace
}  // namespace pipeline
