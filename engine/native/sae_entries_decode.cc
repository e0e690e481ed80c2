/**
 * Reconstructions from entries (starts [rows + 1], indices and values of all rows one after the other), and the way back:
 *
 *   x̂_r = b + Σ_n z_n W[i_n]      e_r = x̂_r − y_r      g_r = s e_r      dz_n = g_r · W[i_n]      over the entries n of row r
 *
 * A second set of values of the same entries may be decoded along with the first, while the rows of W are in cache.
 *
 * An entry of value 0 has no part in x̂, but its dz counts as any other: a latent just below its threshold has a gradient.
 */
#include <algorithm>

#include "op.h"
#include "sae_entries.h"
#include "sae_rows.h"
#include "threads.h"

namespace pipeline {
namespace {

/** One reconstruction: the values of the entries, and what is made of them. Null values for none. */
struct Set {
  const float* values;
  float *g, *dz, *errors;
};

struct DecodeArgs {
  const float* target;
  const int32_t* starts;
  const int32_t* indices;
  const float* weight;
  const float* bias;  // null for none
  int64_t width;
  float scale;
  Set sets[2];
  int count;
};

/** Turns a row of x̂ into its error times the scale, and gives Σ e². */
template <int W>
PIPELINE_INLINE float errorOf(float* out, const float* target, float scale, int64_t width) {
  F<W> squares = F<W>{};
  for (int64_t i = 0; i < width; i += W) {
    const int64_t left = width - i;
    const bool full = left >= W;
    const F<W> error = full ? load<W>(out + i) - load<W>(target + i) : loadPart<W>(out + i, left) - loadPart<W>(target + i, left);
    squares += error * error;
    if (full) store<W>(out + i, error * scale);
    else storePart<W>(out + i, error * scale, left);
  }
  return sum<W>(squares);
}

template <int W>
PIPELINE_INLINE void decodeRows(const DecodeArgs& args, int64_t begin, int64_t end) {
  const int64_t width = args.width;
  for (int64_t row = begin; row < end; row++) {
    const int64_t start = args.starts[row], stop = args.starts[row + 1];
    const auto weightOf = [&](int64_t n) { return args.weight + args.indices[n] * width; };
    for (int s = 0; s < args.count; s++) {
      float* const out = args.sets[s].g + row * width;
      if (args.bias) std::copy(args.bias, args.bias + width, out);
      else std::fill(out, out + width, 0.f);
    }
    const float* rows[4];
    float values[2][4];
    int count = 0;
    for (int64_t n = start; n < stop; n++) {
      if (n + 8 < stop) foresee(weightOf(n + 8), std::min<int64_t>(width, 64));
      if (args.sets[0].values[n] == 0 && (args.count == 1 || args.sets[1].values[n] == 0)) continue;
      rows[count] = weightOf(n);
      for (int s = 0; s < args.count; s++) values[s][count] = args.sets[s].values[n];
      if (++count < 4) continue;
      for (int s = 0; s < args.count; s++) addScaledFour<W>(rows, values[s], args.sets[s].g + row * width, width);
      count = 0;
    }
    for (int s = 0; s < args.count; s++) {
      float* const out = args.sets[s].g + row * width;
      for (int j = 0; j < count; j++) addScaled<W>(rows[j], values[s][j], out, width);
      args.sets[s].errors[row] = errorOf<W>(out, args.target + row * width, args.scale, width);
    }
    int64_t n = start;
    for (; n + 4 <= stop; n += 4) {
      for (int64_t ahead = n + 4; ahead < std::min(n + 8, stop); ahead++) foresee(weightOf(ahead), width);
      for (int j = 0; j < 4; j++) rows[j] = weightOf(n + j);
      for (int s = 0; s < args.count; s++) productFour<W>(args.sets[s].g + row * width, rows, args.sets[s].dz + n, width);
    }
    for (; n < stop; n++)
      for (int s = 0; s < args.count; s++) args.sets[s].dz[n] = product<W>(args.sets[s].g + row * width, weightOf(n), width);
  }
}
PIPELINE_KERNEL(decode, decodeRows, DecodeArgs)

struct EntriesDecodeBack {
  bool two;
  explicit EntriesDecodeBack(Attributes& attributes) : two(attributes.flag("two")) {}

  void compute(const Call& call) const {
    const Tensor target = call.input(0), starts = call.input(1), indices = call.input(2), values = call.input(3);
    const Tensor more = call.input(4), weight = call.input(5), bias = call.input(6), scale = call.input(7);
    require(target.rank() == 2 && weight.rank() == 2 && target.dim(1) == weight.dim(1),
            "entriesDecodeBack: the target must be [rows, width] and the weight [latents, width].");
    const int64_t rows = target.dim(0), width = target.dim(1), count = indices.size();
    require(starts.size() == rows + 1 && values.size() == count && (!two || more.size() == count),
            "entriesDecodeBack: the entries must be those of the target's rows.");
    requireEntries("entriesDecodeBack", starts.ints(), rows, indices.ints(), count, weight.dim(0));
    require(bias.size() == 0 || bias.size() == width, "entriesDecodeBack: the bias must be as long as a row.");
    require(scale.size() == 1, "entriesDecodeBack: the scale must be one number.");
    DecodeArgs args{target.floats(), starts.ints(), indices.ints(), weight.floats(), bias.size() ? bias.floats() : nullptr,
                    width, scale.floats()[0], {}, two ? 2 : 1};
    for (int s = 0; s < 2; s++) {
      const bool there = s < args.count;
      const Tensor g = call.floats(3 * s, {there ? rows : 0, width}), dz = call.floats(3 * s + 1, {there ? count : 0});
      const Tensor errors = call.floats(3 * s + 2, {there ? rows : 0});
      args.sets[s] = {(s == 0 ? values : more).floats(), g.floats(), dz.floats(), errors.floats()};
    }
    parallel(rows, 16, [&](int64_t begin, int64_t end) { decode(args, begin, end); });
  }
};
PIPELINE_OP(EntriesDecodeBack, "PipelineEntriesDecodeBack", {"two: bool"},
            {"target: float", "starts: int32", "indices: int32", "values: float", "more: float", "weight: float", "bias: float",
             "scale: float"},
            {"g: float", "dz: float", "errors: float", "more_g: float", "more_dz: float", "more_errors: float"});

}  // namespace
}  // namespace pipeline
