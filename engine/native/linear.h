/** What the ops of a linear layer share: their inputs, and what follows the sums. */
#pragma once
#include <algorithm>

#include "bf16.h"
#include "gelu.h"
#include "op.h"

namespace pipeline {

enum After : int64_t { kNothing = 0, kGeluErf = 1, kGeluTanh = 2 };

/** y [rows, outputs] = after(x W + bias), where `after` is nothing, a GELU, or the sum with a residual. */
struct LinearLayer {
  const float* x;
  const float* weight;    // [inputs, outputs], or [outputs, inputs] when transposed
  const float* bias;      // null for none
  const float* residual;  // null for none
  float* y;
  int64_t rows, inputs, outputs;
  bool transposed;
  After after;
};

/** The tensors of a call, and the layer in their memory. */
struct LinearCall {
  Tensor x, weight, bias, residual, y;
  LinearLayer layer;
};

/** Reads and checks the first four inputs, x, weight, bias and residual, and makes the output. */
LinearCall readLinear(const Call& call, bool transposed, After after);

/** The layer in float32 products. */
void multiplyFloats(const LinearLayer& layer);

#if PIPELINE_X86
/** Whether products by thirds (thirds.h) are faster here, which depends on the level in use and the weight's sizes alone. */
bool multipliesThirds(const LinearLayer& layer);

/** The layer by thirds, but for rows, or a weight, that those cannot hold. */
void multiplyThirds(const LinearLayer& layer);

/** Adds what follows the product to a finished block of 32 by 32 and writes it out, past the caches where it can. */
PIPELINE_BF16 inline void finishBlock(const LinearLayer& layer, float* c, int64_t row0, int64_t column0) {
  const int64_t rows = std::min(kBlock, layer.rows - row0), columns = std::min(kBlock, layer.outputs - column0);
  for (int64_t row = 0; row < rows; row++) {
    const int64_t at = (row0 + row) * layer.outputs + column0;
    for (int half = 0; half < 2; half++) {
      const int64_t left = columns - half * 16;
      if (left <= 0) break;
      const __mmask16 mask = left >= 16 ? 0xffff : (1u << left) - 1;
      F<16> value = load<16>(blockRow(c, row, half));
      if (layer.bias) value += reinterpret_cast<F<16>>(_mm512_maskz_loadu_ps(mask, layer.bias + column0 + half * 16));
      if (layer.after == kGeluErf) value = geluErf<16>(value);
      if (layer.after == kGeluTanh) value = geluTanh<16>(value);
      if (layer.residual) value = reinterpret_cast<F<16>>(_mm512_maskz_loadu_ps(mask, layer.residual + at + half * 16)) + value;
      float* const y = layer.y + at + half * 16;
      if (mask == 0xffff && reinterpret_cast<uintptr_t>(y) % 64 == 0) _mm512_stream_ps(y, reinterpret_cast<__m512>(value));
      else _mm512_mask_storeu_ps(y, mask, reinterpret_cast<__m512>(value));
    }
  }
}

#endif

}  // namespace pipeline
