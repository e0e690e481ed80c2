/**
 * Reconstructions from k latents a row, and with them the start of the way back:
 *
 *   x̂_r = b + Σ_j z_rj W[i_rj]          e_r = x̂_r − y_r        g_r = s e_r        dz_rj = g_r · W[i_rj] where z_rj ≠ 0
 *
 * Only the k rows of W that a row uses are read, and dz finds them still in cache. z, i [rows, k]; W [latents, width].
 */
#include <algorithm>

#include "lanes.h"
#include "op.h"
#include "packed.h"
#include "threads.h"

namespace pipeline {
namespace {

struct DecodeArgs {
  const float* values;
  const int32_t* indices;
  const float* weight;
  const float* bias;    // null for none
  const float* target;  // null: decode only
  float* out;           // x̂, or g with a target
  float* dz;
  float* errors;  // Σ e² of each row
  int64_t k, width;
  float scale;
};

/** The entries of a row that count: their latents' rows and their places among the k. */
struct Used {
  const float** rows;
  float* values;
  int32_t* places;
  int64_t count;
};

inline Used usedOf(const DecodeArgs& args, int64_t row) {
  const int64_t room = (args.k + 15) / 16 * 16;
  Used used;
  used.rows = reinterpret_cast<const float**>(scratch(room * 4));
  used.values = reinterpret_cast<float*>(used.rows + room);
  used.places = reinterpret_cast<int32_t*>(used.values + room);
  used.count = 0;
  for (int64_t j = 0; j < args.k; j++) {
    const float value = args.values[row * args.k + j];
    if (value == 0) continue;
    used.rows[used.count] = args.weight + args.indices[row * args.k + j] * args.width;
    used.values[used.count] = value;
    used.places[used.count++] = static_cast<int32_t>(j);
  }
  return used;
}

/** out += Σ over four entries; four at a time, so that sums go through memory less often. */
template <int W>
PIPELINE_INLINE void addFour(const Used& used, int64_t from, float* out, int64_t width) {
  const float *a = used.rows[from], *b = used.rows[from + 1], *c = used.rows[from + 2], *d = used.rows[from + 3];
  const F<W> va = splat<W>(used.values[from]), vb = splat<W>(used.values[from + 1]);
  const F<W> vc = splat<W>(used.values[from + 2]), vd = splat<W>(used.values[from + 3]);
  int64_t i = 0;
  for (; i + W <= width; i += W)
    store<W>(out + i, load<W>(out + i) + va * load<W>(a + i) + vb * load<W>(b + i) + vc * load<W>(c + i) + vd * load<W>(d + i));
  if (const int64_t left = width - i)
    storePart<W>(out + i,
                 loadPart<W>(out + i, left) + va * loadPart<W>(a + i, left) + vb * loadPart<W>(b + i, left) +
                     vc * loadPart<W>(c + i, left) + vd * loadPart<W>(d + i, left),
                 left);
}

template <int W>
PIPELINE_INLINE void addOne(const float* a, float value, float* out, int64_t width) {
  const F<W> va = splat<W>(value);
  int64_t i = 0;
  for (; i + W <= width; i += W) store<W>(out + i, load<W>(out + i) + va * load<W>(a + i));
  if (const int64_t left = width - i) storePart<W>(out + i, loadPart<W>(out + i, left) + va * loadPart<W>(a + i, left), left);
}

template <int W>
PIPELINE_INLINE float dot(const float* a, const float* b, int64_t width) {
  F<W> first = F<W>{}, second = F<W>{};
  int64_t i = 0;
  for (; i + 2 * W <= width; i += 2 * W) {
    first += load<W>(a + i) * load<W>(b + i);
    second += load<W>(a + i + W) * load<W>(b + i + W);
  }
  for (; i < width; i += W) {
    const int64_t left = width - i;
    first += left >= W ? load<W>(a + i) * load<W>(b + i) : loadPart<W>(a + i, left) * loadPart<W>(b + i, left);
  }
  return sum<W>(first + second);
}

template <int W>
PIPELINE_INLINE void decodeRows(const DecodeArgs& args, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; row++) {
    const Used used = usedOf(args, row);
    for (int64_t j = 0; j < used.count; j++)
      for (int64_t i = 0; i < std::min<int64_t>(args.width, 64); i += 16) __builtin_prefetch(used.rows[j] + i);
    float* const out = args.out + row * args.width;
    if (args.bias) std::copy(args.bias, args.bias + args.width, out);
    else std::fill(out, out + args.width, 0.f);
    int64_t j = 0;
    for (; j + 4 <= used.count; j += 4) addFour<W>(used, j, out, args.width);
    for (; j < used.count; j++) addOne<W>(used.rows[j], used.values[j], out, args.width);
    if (!args.target) continue;
    const float* target = args.target + row * args.width;
    F<W> squares = F<W>{};
    for (int64_t i = 0; i < args.width; i += W) {
      const int64_t left = args.width - i;
      const bool full = left >= W;
      const F<W> error = full ? load<W>(out + i) - load<W>(target + i) : loadPart<W>(out + i, left) - loadPart<W>(target + i, left);
      squares += error * error;
      if (full) store<W>(out + i, error * args.scale);
      else storePart<W>(out + i, error * args.scale, left);
    }
    args.errors[row] = sum<W>(squares);
    float* const dz = args.dz + row * args.k;
    std::fill(dz, dz + args.k, 0.f);
    for (int64_t n = 0; n < used.count; n++) dz[used.places[n]] = dot<W>(out, used.rows[n], args.width);
  }
}
PIPELINE_KERNEL(decode, decodeRows, DecodeArgs)

/** Checks what both ops take: values, indices, weight and bias, from input `first` on. */
void check(const char* name, const Tensor& values, const Tensor& indices, const Tensor& weight, const Tensor& bias) {
  const std::string op = name;
  require(values.rank() == 2 && indices.rank() == 2 && values.dim(0) == indices.dim(0) && values.dim(1) == indices.dim(1),
          op + ": values and indices must both be [rows, k].");
  require(weight.rank() == 2, op + ": the weight must be [latents, width].");
  require(bias.size() == 0 || bias.size() == weight.dim(1), op + ": the bias must be as long as a row.");
  const int64_t latents = weight.dim(0);
  const int32_t* all = indices.ints();
  bool inside = true;
  for (int64_t i = 0; i < indices.size(); i++) inside &= all[i] >= 0 && all[i] < latents;
  require(inside, op + ": an index is outside the " + std::to_string(latents) + " latents.");
}

struct SparseDecode {
  explicit SparseDecode(Attributes&) {}

  void compute(const Call& call) const {
    const Tensor values = call.input(0), indices = call.input(1), weight = call.input(2), bias = call.input(3);
    check("sparseDecode", values, indices, weight, bias);
    const int64_t rows = values.dim(0), width = weight.dim(1);
    const Tensor out = call.floats(0, {rows, width});
    const DecodeArgs args{values.floats(), indices.ints(), weight.floats(), bias.size() ? bias.floats() : nullptr,
                          nullptr, out.floats(), nullptr, nullptr, values.dim(1), width, 1};
    parallel(rows, 16, [&](int64_t begin, int64_t end) { decode(args, begin, end); });
  }
};
PIPELINE_OP(SparseDecode, "PipelineSparseDecode", {},
            {"values: float", "indices: int32", "weight: float", "bias: float"}, {"x: float"});

struct SparseDecodeBack {
  explicit SparseDecodeBack(Attributes&) {}

  void compute(const Call& call) const {
    const Tensor target = call.input(0), values = call.input(1), indices = call.input(2), weight = call.input(3);
    const Tensor bias = call.input(4), scale = call.input(5);
    check("sparseDecodeBack", values, indices, weight, bias);
    const int64_t rows = values.dim(0), k = values.dim(1), width = weight.dim(1);
    require(target.rank() == 2 && target.dim(0) == rows && target.dim(1) == width,
            "sparseDecodeBack: the target must be [" + std::to_string(rows) + ", " + std::to_string(width) + "].");
    require(scale.size() == 1, "sparseDecodeBack: the scale must be one number.");
    const Tensor g = call.floats(0, {rows, width}), dz = call.floats(1, {rows, k}), errors = call.floats(2, {rows});
    const DecodeArgs args{values.floats(), indices.ints(), weight.floats(), bias.size() ? bias.floats() : nullptr,
                          target.floats(), g.floats(), dz.floats(), errors.floats(), k, width, scale.floats()[0]};
    parallel(rows, 16, [&](int64_t begin, int64_t end) { decode(args, begin, end); });
  }
};
PIPELINE_OP(SparseDecodeBack, "PipelineSparseDecodeBack", {},
            {"target: float", "values: float", "indices: int32", "weight: float", "bias: float", "scale: float"},
            {"g: float", "dz: float", "errors: float"});

}  // namespace
}  // namespace pipeline
