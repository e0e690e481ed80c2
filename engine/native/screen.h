/**
 * Screening: which pre-activations of an encoder can matter at all, by products of small whole numbers, so that only those are
 * computed in float32. What comes out is what the dense float32 kernel gives, to the bit.
 *
 * Rows x and latents w are rounded to whole numbers times a scale, x = x̂ + e and w = ŵ + f (screen_cells.h). Then
 *
 *   x · w = x̂ · ŵ + x · f + e · ŵ        |x · f + e · ŵ| ≤ ‖x‖ ‖f‖ + ‖e‖ (‖w‖ + ‖f‖)
 *
 * by Cauchy and Schwarz. x̂ · ŵ is a product of whole numbers and exact; norms are rounded upwards. The float32 kernel itself
 * is off by at most n u ‖x‖ ‖w‖ / (1 − n u) for n inputs, u = 2⁻²⁴, and by two more roundings for bias and factor; sums that
 * underflow lose at most n 2⁻¹²⁶. With these each pre-activation has an upper and a lower bound that the float32 value keeps.
 * A latent whose upper bound lies below the k-th largest lower bound is below k others, and so not among the k largest; the
 * same holds against a threshold of its own. Where many are left, products in float32 in any order narrow the bounds first.
 * The rest are summed in the order of the dense kernel (screen_sums.h).
 *
 * If the mean of the rows is large against them it is taken off: x · w = m · w + (x − m) · w, with m · w in double precision.
 */
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

namespace pipeline {

/** Whether to screen, as the ops' attribute `screen` says: never, where it pays, or wherever there is a product for it. */
enum class Screening : int64_t { off = 0, automatic = 1, always = 2 };

struct ScreenTask {
  const float* x;       // [rows, inputs]
  const float* weight;  // [latents, inputs]
  const float* bias;    // [latents], null for none
  const float* scale;   // [latents], null for none
  const float* bounds;  // [latents]: what is larger than its bound; null for the k largest of each row above `floor`
  int64_t rows, inputs, latents;
  int64_t k;
  float floor;
};

struct ScreenReport {
  bool used = false;          // otherwise nothing was screened, and all rows are left
  int64_t candidates = 0;     // pairs of a row and a latent that screening left in question
  int64_t summed = 0;         // and how many were summed in order
  std::vector<int32_t> left;  // rows that are left to the dense kernel, ascending
};

/** Takes the latents of a row that might be wanted, ascending, and their exact values; from several threads at once. */
typedef std::function<void(int64_t row, const int32_t* latents, const float* values, int64_t count)> ScreenSink;

/** A report as ops give it: whether it was used, candidates, those summed, rows left. */
void tell(const ScreenReport& report, float* to);

/**
 * Screens all rows. Where it pays is found by the sizes, then by the first rows: that changes which rows are left, never a
 * value.
 */
ScreenReport screen(const ScreenTask& task, Screening screening, const ScreenSink& sink);

}  // namespace pipeline
