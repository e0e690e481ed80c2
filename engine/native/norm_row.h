/** LayerNorm and RMSNorm of one row: y = (x - centre) / scale · gain + bias (norm.cc). */
#pragma once
#include "lanes.h"

namespace pipeline {

struct RowNorm {
  const float* gain;  // null for none
  const float* bias;  // null for none
  int64_t width;
  float epsilon;
  bool centre;
};

/** The norm of x in y, which may be x itself; returns the scale. */
template <int W>
PIPELINE_INLINE float normRow(const float* x, const RowNorm& norm, float* y) {
  const int64_t width = norm.width, whole = width / W * W, left = width - whole;
  float mean = 0;
  if (norm.centre) {
    F<W> total = F<W>{};
    for (int64_t i = 0; i < whole; i += W) total += load<W>(x + i);
    if (left) total += loadPart<W>(x + whole, left);
    mean = sum<W>(total) / static_cast<float>(width);
  }
  F<W> squares = F<W>{};
  for (int64_t i = 0; i < whole; i += W) {
    const F<W> d = load<W>(x + i) - mean;
    squares += d * d;
  }
  if (left) {
    const F<W> d = loadPart<W>(x + whole, left, mean) - mean;
    squares += d * d;
  }
  const float scale = std::sqrt(sum<W>(squares) / static_cast<float>(width) + norm.epsilon);
  for (int64_t i = 0; i < width; i += W) {
    const bool full = i < whole;
    F<W> value = ((full ? load<W>(x + i) : loadPart<W>(x + i, left)) - mean) / scale;
    if (norm.gain) value *= full ? load<W>(norm.gain + i) : loadPart<W>(norm.gain + i, left);
    if (norm.bias) value += full ? load<W>(norm.bias + i) : loadPart<W>(norm.bias + i, left);
    if (full) store<W>(y + i, value);
    else storePart<W>(y + i, value, left);
  }
  return scale;
}

}  // namespace pipeline
