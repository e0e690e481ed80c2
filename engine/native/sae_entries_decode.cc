/**
 * Reconstructions from entries (starts [rows + 1], indices and values of all rows one after the other), and the way back:
 *
 *   x̂_r = b + Σ_n z_n W[i_n]      e_r = x̂_r − y_r      g_r = s e_r      dz_n = g_r · W[i_n]      over the entries n of row r
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

struct DecodeArgs {
  const float* target;
  const int32_t* starts;
  const int32_t* indices;
  const float* values;
  const float* weight;
  const float* bias;  // null for none
  float *g, *dz, *errors;
  int64_t width;
  float scale;
};

template <int W>
PIPELINE_INLINE void decodeRows(const DecodeArgs& args, int64_t begin, int64_t end) {
  const int64_t width = args.width;
  for (int64_t row = begin; row < end; row++) {
    const int64_t start = args.starts[row], stop = args.starts[row + 1];
    const auto weightOf = [&](int64_t n) { return args.weight + args.indices[n] * width; };
    float* const out = args.g + row * width;
    if (args.bias) std::copy(args.bias, args.bias + width, out);
    else std::fill(out, out + width, 0.f);
    const float* rows[4];
    float values[4];
    int count = 0;
    for (int64_t n = start; n < stop; n++) {
      if (n + 8 < stop) foresee(weightOf(n + 8), std::min<int64_t>(width, 64));
      if (args.values[n] == 0) continue;
      rows[count] = weightOf(n);
      values[count++] = args.values[n];
      if (count == 4) {
        addScaledFour<W>(rows, values, out, width);
        count = 0;
      }
    }
    for (int j = 0; j < count; j++) addScaled<W>(rows[j], values[j], out, width);
    const float* target = args.target + row * width;
    F<W> squares = F<W>{};
    for (int64_t i = 0; i < width; i += W) {
      const int64_t left = width - i;
      const bool full = left >= W;
      const F<W> error = full ? load<W>(out + i) - load<W>(target + i) : loadPart<W>(out + i, left) - loadPart<W>(target + i, left);
      squares += error * error;
      if (full) store<W>(out + i, error * args.scale);
      else storePart<W>(out + i, error * args.scale, left);
    }
    args.errors[row] = sum<W>(squares);
    int64_t n = start;
    for (; n + 4 <= stop; n += 4) {
      for (int64_t ahead = n + 4; ahead < std::min(n + 8, stop); ahead++) foresee(weightOf(ahead), width);
      for (int j = 0; j < 4; j++) rows[j] = weightOf(n + j);
      productFour<W>(out, rows, args.dz + n, width);
    }
    for (; n < stop; n++) args.dz[n] = product<W>(out, weightOf(n), width);
  }
}
PIPELINE_KERNEL(decode, decodeRows, DecodeArgs)

struct EntriesDecodeBack {
  explicit EntriesDecodeBack(Attributes&) {}

  void compute(const Call& call) const {
    const Tensor target = call.input(0), starts = call.input(1), indices = call.input(2), values = call.input(3);
    const Tensor weight = call.input(4), bias = call.input(5), scale = call.input(6);
    require(target.rank() == 2 && weight.rank() == 2 && target.dim(1) == weight.dim(1),
            "entriesDecodeBack: the target must be [rows, width] and the weight [latents, width].");
    const int64_t rows = target.dim(0), width = target.dim(1), count = indices.size();
    require(starts.size() == rows + 1 && values.size() == count, "entriesDecodeBack: the entries must be those of the target's rows.");
    requireEntries("entriesDecodeBack", starts.ints(), rows, indices.ints(), count, weight.dim(0));
    require(bias.size() == 0 || bias.size() == width, "entriesDecodeBack: the bias must be as long as a row.");
    require(scale.size() == 1, "entriesDecodeBack: the scale must be one number.");
    const Tensor g = call.floats(0, {rows, width}), dz = call.floats(1, {count}), errors = call.floats(2, {rows});
    const DecodeArgs args{target.floats(), starts.ints(), indices.ints(), values.floats(), weight.floats(),
                          bias.size() ? bias.floats() : nullptr, g.floats(), dz.floats(), errors.floats(), width,
                          scale.floats()[0]};
    parallel(rows, 16, [&](int64_t begin, int64_t end) { decode(args, begin, end); });
  }
};
PIPELINE_OP(EntriesDecodeBack, "PipelineEntriesDecodeBack", {},
            {"target: float", "starts: int32", "indices: int32", "values: float", "weight: float", "bias: float", "scale: float"},
            {"g: float", "dz: float", "errors: float"});

}  // namespace
}  // namespace pipeline
