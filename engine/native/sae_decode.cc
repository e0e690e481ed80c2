/**
 * Reconstructions from k latents a row, and with them the start of the way back:
 *
 *   x̂_r = b + Σ_j z_rj W[i_rj]          e_r = x̂_r − y_r        g_r = s e_r        dz_rj = g_r · W[i_rj] where z_rj ≠ 0
 *
 * Only the k rows of W that a row uses are read, and dz finds them still in cache. z, i [rows, k]; W [latents, width].
 *
 * Nested dictionaries (Matryoshka) have levels l, each of the latents below ends_l, whose reconstructions x̂_l are all held to
 * y. A latent first seen in level j is part of every later one, so its gradient is that of a sum over levels:
 *
 *   e_rl = x̂_rl − y_r        g_rj = Σ_{l ≥ j} s_l e_rl        dz_rn = g_rj · W[i_rn] for i_rn in level j
 */
#include <algorithm>
#include <vector>

#include "lanes.h"
#include "op.h"
#include "packed.h"
#include "sae_rows.h"
#include "threads.h"

namespace pipeline {
namespace {

struct DecodeArgs {
  const float* values;
  const int32_t* indices;
  const float* weight;
  const float* bias;    // null for none
  const float* target;  // null: decode only
  float* out;           // x̂, or g of each level with a target
  float* dz;
  float* errors;  // Σ e² of each row, level by level
  int64_t rows, k, width, levels;
  const int32_t* ends;   // the first latent beyond each level
  const float* scales;  // s of each level
};

/** The entries of a row that count, level by level: their latents' rows and their places among the k. */
struct Used {
  const float** rows;
  float* values;
  int32_t* places;
  int32_t* stops;  // where each level's entries end
  float* sum;      // the reconstruction so far
};

inline Used usedOf(const DecodeArgs& args, int64_t row) {
  const int64_t room = (args.k + 15) / 16 * 16, levels = (args.levels + 15) / 16 * 16;
  Used used;
  used.rows = reinterpret_cast<const float**>(scratch(room * 4 + levels + args.width));
  used.values = reinterpret_cast<float*>(used.rows + room);
  used.places = reinterpret_cast<int32_t*>(used.values + room);
  used.stops = used.places + room;
  used.sum = reinterpret_cast<float*>(used.stops + levels);
  int32_t count = 0;
  for (int64_t level = 0; level < args.levels; level++) {
    const int32_t first = level == 0 ? 0 : args.ends[level - 1], end = args.ends[level];
    for (int64_t j = 0; j < args.k; j++) {
      const float value = args.values[row * args.k + j];
      const int32_t latent = args.indices[row * args.k + j];
      if (value == 0 || latent < first || latent >= end) continue;
      used.rows[count] = args.weight + latent * args.width;
      used.values[count] = value;
      used.places[count++] = static_cast<int32_t>(j);
    }
    used.stops[level] = count;
  }
  return used;
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

/** What a level adds to the reconstruction so far. */
template <int W>
PIPELINE_INLINE void addLevel(const Used& used, int64_t level, float* to, int64_t width) {
  int64_t j = level == 0 ? 0 : used.stops[level - 1];
  for (; j + 4 <= used.stops[level]; j += 4) addScaledFour<W>(used.rows + j, used.values + j, to, width);
  for (; j < used.stops[level]; j++) addScaled<W>(used.rows[j], used.values[j], to, width);
}

/** g = s (x̂ − y), and the sum of squared errors. */
template <int W>
PIPELINE_INLINE float compare(const float* guess, const float* target, float scale, float* g, int64_t width) {
  F<W> squares = F<W>{};
  for (int64_t i = 0; i < width; i += W) {
    const int64_t left = width - i;
    const bool full = left >= W;
    const F<W> error = full ? load<W>(guess + i) - load<W>(target + i) : loadPart<W>(guess + i, left) - loadPart<W>(target + i, left);
    squares += error * error;
    if (full) store<W>(g + i, error * scale);
    else storePart<W>(g + i, error * scale, left);
  }
  return sum<W>(squares);
}

// Where rows use many latents, as AuxK's do, those of one row no longer stay in cache until the next. A block of rows then goes
// through the latents range by range.
constexpr int64_t kManyLatents = 96;  // a row
constexpr int64_t kBlockRows = 64;
constexpr int64_t kRangeEntries = 16;  // of a row in a range, on average

/** For each row of [begin, end) and each range of latents: calls `visit(row, j, stop)` with the row's places in that range. */
template <class Visit>
PIPELINE_INLINE void eachRange(const DecodeArgs& args, int64_t begin, int64_t end, const Visit& visit) {
  const int64_t ranges = (args.k + kRangeEntries - 1) / kRangeEntries, latents = args.ends[0];
  int32_t next[kBlockRows] = {};
  for (int64_t range = 1; range <= ranges; range++) {
    const int64_t last = latents * range / ranges;
    for (int64_t row = begin; row < end; row++) {
      const int32_t* const at = args.indices + row * args.k;
      const int32_t from = next[row - begin];
      int32_t to = from;
      while (to < args.k && at[to] < last) to++;
      next[row - begin] = to;
      if (to > from) visit(row, from, to);
    }
  }
}

/** One level, for rows whose latents come in ascending order. */
template <int W>
PIPELINE_INLINE void decodeBlock(const DecodeArgs& args, int64_t begin, int64_t end) {
  const int64_t width = args.width, k = args.k;
  float* const guesses = scratch((end - begin) * width);
  for (int64_t row = begin; row < end; row++) {
    float* const guess = guesses + (row - begin) * width;
    if (args.bias) std::copy(args.bias, args.bias + width, guess);
    else std::fill(guess, guess + width, 0.f);
  }
  eachRange(args, begin, end, [&](int64_t row, int64_t j, int64_t stop) __attribute__((always_inline)) {
    const float* rows[4];
    float values[4];
    int count = 0;
    float* const guess = guesses + (row - begin) * width;
    for (; j < stop; j++) {
      if (args.values[row * k + j] == 0) continue;
      rows[count] = args.weight + args.indices[row * k + j] * width;
      values[count++] = args.values[row * k + j];
      if (count == 4) addScaledFour<W>(rows, values, guess, width), count = 0;
    }
    for (int i = 0; i < count; i++) addScaled<W>(rows[i], values[i], guess, width);
  });
  for (int64_t row = begin; row < end; row++)
    args.errors[row] = compare<W>(guesses + (row - begin) * width, args.target + row * width, args.scales[0],
                                  args.out + row * width, width);
  std::fill(args.dz + begin * k, args.dz + end * k, 0.f);
  eachRange(args, begin, end, [&](int64_t row, int64_t j, int64_t stop) __attribute__((always_inline)) {
    for (; j < stop; j++)
      if (args.values[row * k + j] != 0)
        args.dz[row * k + j] = dot<W>(args.out + row * width, args.weight + args.indices[row * k + j] * width, width);
  });
}

/** Whether every row's latents come in ascending order. */
bool ascending(const DecodeArgs& args, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; row++)
    if (!std::is_sorted(args.indices + row * args.k, args.indices + (row + 1) * args.k)) return false;
  return true;
}

template <int W>
PIPELINE_INLINE void decodeRows(const DecodeArgs& args, int64_t begin, int64_t end) {
  if (args.target && args.levels == 1 && args.k >= kManyLatents && ascending(args, begin, end))
    return decodeBlock<W>(args, begin, end);
  const int64_t width = args.width, level = args.rows * width;
  for (int64_t row = begin; row < end; row++) {
    const Used used = usedOf(args, row);
    const int64_t count = used.stops[args.levels - 1];
    for (int64_t j = 0; j < count; j++)
      for (int64_t i = 0; i < std::min<int64_t>(width, 64); i += 16) __builtin_prefetch(used.rows[j] + i);
    float* const out = args.out + row * width;
    float* const guess = args.target ? used.sum : out;
    if (args.bias) std::copy(args.bias, args.bias + width, guess);
    else std::fill(guess, guess + width, 0.f);
    for (int64_t l = 0; l < args.levels; l++) {
      addLevel<W>(used, l, guess, width);
      if (args.target)
        args.errors[l * args.rows + row] =
            compare<W>(guess, args.target + row * width, args.scales[l], out + l * level, width);
    }
    if (!args.target) continue;
    for (int64_t l = args.levels - 2; l >= 0; l--) addScaled<W>(out + (l + 1) * level, 1, out + l * level, width);
    float* const dz = args.dz + row * args.k;
    std::fill(dz, dz + args.k, 0.f);
    for (int64_t l = 0, n = 0; l < args.levels; l++)
      for (; n < used.stops[l]; n++) dz[used.places[n]] = dot<W>(out + l * level, used.rows[n], width);
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
    const int32_t latents = static_cast<int32_t>(weight.dim(0));
    const DecodeArgs args{values.floats(), indices.ints(), weight.floats(), bias.size() ? bias.floats() : nullptr, nullptr,
                          out.floats(), nullptr, nullptr, rows, values.dim(1), width, 1, &latents, nullptr};
    parallel(rows, 16, [&](int64_t begin, int64_t end) { decode(args, begin, end); });
  }
};
PIPELINE_OP(SparseDecode, "PipelineSparseDecode", {},
            {"values: float", "indices: int32", "weight: float", "bias: float"}, {"x: float"});

struct SparseDecodeBack {
  explicit SparseDecodeBack(Attributes&) {}

  void compute(const Call& call) const {
    const Tensor target = call.input(0), values = call.input(1), indices = call.input(2), weight = call.input(3);
    const Tensor bias = call.input(4), scales = call.input(5), ends = call.input(6);
    check("sparseDecodeBack", values, indices, weight, bias);
    const int64_t rows = values.dim(0), k = values.dim(1), width = weight.dim(1), levels = scales.size();
    require(target.rank() == 2 && target.dim(0) == rows && target.dim(1) == width,
            "sparseDecodeBack: the target must be [" + std::to_string(rows) + ", " + std::to_string(width) + "].");
    require(levels >= 1 && ends.size() == levels, "sparseDecodeBack: each level must have a scale and an end.");
    const std::vector<int32_t> all(ends.ints(), ends.ints() + levels);
    require(std::is_sorted(all.begin(), all.end()) && all[0] >= 0 && all[levels - 1] == weight.dim(0),
            "sparseDecodeBack: levels must rise to the number of latents.");
    const Tensor g = call.floats(0, {levels * rows, width}), dz = call.floats(1, {rows, k});
    const Tensor errors = call.floats(2, {levels, rows});
    const DecodeArgs args{values.floats(), indices.ints(), weight.floats(), bias.size() ? bias.floats() : nullptr,
                          target.floats(), g.floats(), dz.floats(), errors.floats(), rows, k, width, levels,
                          ends.ints(), scales.floats()};
    parallel(rows, k >= kManyLatents ? kBlockRows : 16, [&](int64_t begin, int64_t end) { decode(args, begin, end); });
  }
};
PIPELINE_OP(SparseDecodeBack, "PipelineSparseDecodeBack", {},
            {"target: float", "values: float", "indices: int32", "weight: float", "bias: float", "scales: float",
             "ends: int32"},
            {"g: float", "dz: float", "errors: float"});

}  // namespace
}  // namespace pipeline
