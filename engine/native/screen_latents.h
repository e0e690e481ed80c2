/** The latents of an encoder in the form that screening reads: whole numbers, and what bounds need of each. */
#pragma once
#include "screen.h"
#include "screen_cells.h"

namespace pipeline {
namespace screening {

/** The largest of each bound's part among a block's latents. */
struct Tops {
  float scale, high, error, whole;
};

/**
 * Arrays [latents], padded to whole blocks by latents that are never in question. A pre-activation is bounded by
 *
 *   sum · row scale · `scale` + `high` + ‖x‖ `error` + ‖e‖ `whole`        and from below with `low` and minus signs
 */
struct Latents {
  int32_t* cells;  // as columns of B
  int32_t* start;  // what their sums begin with: [blocks][1, or steps where each has sums of its own][kSide]
  int64_t starts;  // cells of it in a block
  float *scale, *high, *low, *error, *whole;
  Tops* tops;            // [blocks]
  float *plain, *slack;  // bias as the dense kernel adds it or 0, and what bias and factor may add to an error

  static int64_t padded(int64_t latents) { return (latents + kSide - 1) / kSide * kSide; }
  /** 4-byte cells of memory. */
  static int64_t memory(const Form& form, int64_t inputs, int64_t latents) {
    return padded(latents) * (stepsOf(inputs) * (kCells + (form.halves ? 1 : 0)) + 8) + padded(latents) / kSide * 4;
  }
  Latents(float* memory, const Form& form, int64_t inputs, int64_t latents) : starts((form.halves ? stepsOf(inputs) : 1) * kSide) {
    const int64_t count = padded(latents);
    cells = reinterpret_cast<int32_t*>(memory);
    start = cells + count * stepsOf(inputs) * kCells;
    float** const arrays[] = {&scale, &high, &low, &error, &whole, &plain, &slack};
    float* next = reinterpret_cast<float*>(start + count / kSide * starts);
    for (float** array : arrays) {
      *array = next;
      next += count;
    }
    tops = reinterpret_cast<Tops*>(next);
  }
};

inline float upwards(double value) { return std::nextafter(static_cast<float>(value), HUGE_VALF); }
inline float downwards(double value) { return std::nextafter(static_cast<float>(value), -HUGE_VALF); }

/**
 * What the sums of 16 bits of a step's two halves begin with, as one cell: with 128 added to each number of a row they end, whatever
 * overflows on the way, in what they would be without.
 */
template <int W>
PIPELINE_INLINE int32_t startOfHalves(const int32_t* step) {
  typedef int16_t Halves __attribute__((vector_size(W * 4)));
  Halves sums = Halves{};
  for (int64_t cell = 0; cell < kCells; cell += W) {
    Halves pairs;
    std::memcpy(&pairs, step + cell, sizeof pairs);
    sums += (pairs << 8 >> 8) + (pairs >> 8);
  }
  int16_t lanes[2 * W], both[2] = {0, 0};
  std::memcpy(lanes, &sums, sizeof sums);
  for (int i = 0; i < 2 * W; i++) both[i & 1] = static_cast<int16_t>(both[i & 1] + lanes[i]);
  return static_cast<int32_t>((static_cast<uint32_t>(-128 * both[0]) & 0xffff) | static_cast<uint32_t>(-128 * both[1]) << 16);
}

/** Fills in a block of 32 latents; `mean` is what rows have been taken off, null for nothing. Returns whether all are usable. */
template <int W>
PIPELINE_INLINE bool readLatents(const ScreenTask& task, const Form& form, const Latents& latents, const float* mean, int64_t block,
                                 int32_t* memory) {
  const int64_t inputs = task.inputs, steps = stepsOf(inputs);
  int32_t* const cells = latents.cells + block * steps * kStep;
  bool usable = true;
  for (int64_t i = 0; i < kSide; i++) {
    const int64_t at = block * kSide + i;
    Norms norms;
    if (at < task.latents) {
      const float* const row = task.weight + at * inputs;
      norms = roundRow<W>(form.latents, row, nullptr, inputs, reinterpret_cast<int8_t*>(memory));
      const double factor = task.scale ? task.scale[at] : 1, bias = task.bias ? task.bias[at] : 0;
      const double bound = task.bounds ? task.bounds[at] : 0;
      usable = usable && norms.usable && factor >= 0 && factor < 1e15 && std::abs(bias) < 1e15;
      double centre = 0;
      if (mean)
        for (int64_t d = 0; d < inputs; d++) centre += static_cast<double>(mean[d]) * row[d];
      const double middle = (bias + centre) * factor, slack = 16 * kUnit * (std::abs(bias) + std::abs(centre)) * factor;
      latents.scale[at] = static_cast<float>(norms.scale * factor);
      // Larger than NaN or infinity nothing is.
      const bool never = task.bounds && !(bound < HUGE_VAL);
      latents.high[at] = never ? -HUGE_VALF : upwards(middle - bound + slack + 16 * kUnit * std::abs(bound));
      latents.low[at] = never ? -HUGE_VALF : downwards(middle - bound - slack - 16 * kUnit * std::abs(bound));
      latents.error[at] = upwards(norms.error * factor);
      latents.whole[at] = upwards((norms.whole + norms.error) * factor);
      latents.plain[at] = static_cast<float>(bias);
      latents.slack[at] = upwards(slack);
      if (norms.whole == 0) latents.error[at] = latents.whole[at] = 0;
      if (slack == 0 && bound == 0) latents.high[at] = latents.low[at] = 0;
    } else {
      std::memset(memory, 0, static_cast<size_t>(steps * kCells * 4));
      latents.scale[at] = latents.error[at] = latents.whole[at] = latents.plain[at] = latents.slack[at] = 0;
      latents.high[at] = latents.low[at] = -HUGE_VALF;
    }
    int32_t* const start = latents.start + block * latents.starts + i;
    if (form.halves)
      for (int64_t step = 0; step < steps; step++) start[step * kSide] = startOfHalves<W>(memory + step * kCells);
    else *start = form.offset ? -128 * norms.sum : 0;
    int32_t* const to = cells + i / 16 * (kStep / 2) + i % 16;
    for (int64_t cell = 0; cell < steps * kCells; cell++) to[cell / kCells * kStep + cell % kCells * 16] = memory[cell];
  }
  Tops& tops = latents.tops[block];
  tops = {0, -HUGE_VALF, 0, 0};
  for (int64_t at = block * kSide; at < (block + 1) * kSide; at++)
    tops = {std::max(tops.scale, latents.scale[at]), std::max(tops.high, latents.high[at]), std::max(tops.error, latents.error[at]),
            std::max(tops.whole, latents.whole[at])};
  return usable;
}

}  // namespace screening
}  // namespace pipeline
