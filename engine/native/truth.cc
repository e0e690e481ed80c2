/**
 * Samples of known features (engine/ops/truth/sample.ts has the equations and is what this computes): thousands of features
 * of which some tens fire. Those that fire by themselves are tested many at once against a bound,
 *
 *   P(N > t) ≤ exp(−t² / 2) / 2  where t ≥ 0,  1 elsewhere
 *
 * in float32 with room for its rounding, and what passes is decided in double precision by one rule, so that what fires
 * depends neither on threads nor on the level of instructions. Children are looked at only where their parent stands. A
 * sample is then a sum of few rows of the dictionary.
 */
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "lanes.h"
#include "op.h"
#include "packed.h"
#include "threads.h"

namespace pipeline {
namespace {

constexpr uint32_t kGolden = 0x9e3779b1, kFirst = 0x21f0aaad, kSecond = 0x735a2d97, kThird = 0x846ca68b;
constexpr int64_t kTogether = 4;      // samples that share a pass over the factors
constexpr double kTailEnd = 8, kTailSteps = 256;
constexpr int64_t kMostRank = 256;

struct Key {
  uint32_t a, b;
};

inline uint32_t mix(uint32_t h) {
  h = (h ^ h >> 16) * kFirst;
  h = (h ^ h >> 15) * kSecond;
  return h ^ h >> 15;
}

inline Key keyOf(Key seed, uint64_t index) {
  const uint32_t low = static_cast<uint32_t>(index), high = static_cast<uint32_t>(index >> 32);
  return {mix(low + mix(high ^ seed.a)), mix(low ^ mix(high + seed.b))};
}

inline uint32_t wordOf(Key key, uint32_t counter) {
  uint32_t h = counter * kGolden ^ key.a;
  h = (h ^ h >> 16) * kFirst;
  h = ((h ^ h >> 15) + key.b) * kSecond;
  h = (h ^ h >> 15) * kThird;
  return h ^ h >> 16;
}

inline double uniformFrom(uint32_t word) { return (word + 0.5) / 4294967296.0; }

inline double normalAt(Key key, uint32_t counter) {
  const double radius = std::sqrt(-2 * std::log(uniformFrom(wordOf(key, counter))));
  return radius * std::cos(2 * M_PI * uniformFrom(wordOf(key, counter + 1)));
}

struct Entry {
  int32_t feature;
  float value;
};

struct TruthArgs {
  const float* directions;
  const float* bias;
  const float* factor;
  const float* cut;
  const float* across;  // [rank + 1, own], the cuts last
  const float* mean;
  const float* deviation;
  const int32_t* firstChild;
  const float* tail;
  int64_t tailSize, features, width, rank, own, rows, roots, nested, branching;
  Key seed;
  uint64_t first;
  float* out;
  std::vector<Entry>* fired;  // a list a row
};

/** A sample in the making. */
struct Draw {
  Key key;
  float common[kMostRank];
};

/** What follows is compiled once, for the plainest instructions, so that it rounds in one way. */
__attribute__((noinline)) void startDraw(const TruthArgs& args, int64_t row, Draw& draw) {
  draw.key = keyOf(args.seed, args.first + static_cast<uint64_t>(row));
  for (int64_t k = 0; k < args.rank; k++)
    draw.common[k] = static_cast<float>(normalAt(draw.key, static_cast<uint32_t>(4 * args.features + 2 * k)));
}

inline bool below(const TruthArgs& args, const Draw& draw, int64_t feature, double t) {
  const double place = (t + kTailEnd) * kTailSteps;
  const double u = uniformFrom(wordOf(draw.key, static_cast<uint32_t>(feature)));
  if (!(place >= 0)) return true;
  if (place >= static_cast<double>(args.tailSize - 1)) return false;
  const int64_t i = static_cast<int64_t>(place);
  const double here = args.tail[i], next = args.tail[i + 1];
  return u < here + (place - static_cast<double>(i)) * (next - here);
}

/** Size of a feature where it fires; 0 where it does not. */
inline float sizeOf(const TruthArgs& args, const Draw& draw, int64_t feature) {
  const double normal = normalAt(draw.key, static_cast<uint32_t>(args.features + 2 * feature));
  const double size = args.mean[feature] + args.deviation[feature] * normal;
  return size > 0 ? static_cast<float>(size) : 0.f;
}

/** Whether that size is not 0. A normal number is at most √(−2 ln u) ≤ √(2 / u − 2) in size, which mostly decides it. */
inline bool hasSize(const TruthArgs& args, const Draw& draw, int64_t feature) {
  const double u = uniformFrom(wordOf(draw.key, static_cast<uint32_t>(args.features + 2 * feature)));
  const double mean = args.mean[feature], deviation = args.deviation[feature];
  if (mean > 0 && 2.001 * (1 - u) * deviation * deviation < u * mean * mean) return true;
  return sizeOf(args, draw, feature) > 0;
}

__attribute__((noinline)) void addOwn(const TruthArgs& args, const Draw& draw, int64_t feature, std::vector<Entry>& fired) {
  double t = args.cut[feature];
  const float* factor = args.factor + feature * args.rank;
  for (int64_t k = 0; k < args.rank; k++) t -= static_cast<double>(factor[k]) * draw.common[k];
  if (!below(args, draw, feature, t)) return;
  const float size = sizeOf(args, draw, feature);
  if (size > 0) fired.push_back({static_cast<int32_t>(feature), size});
}

/** Adds the child of `parent` that stands, if one does. */
__attribute__((noinline)) void addChild(const TruthArgs& args, const Draw& draw, Entry parent, std::vector<Entry>& fired) {
  const int64_t start = args.firstChild[parent.feature];
  if (start < 0) return;
  constexpr int64_t kGroup = 4;
  int64_t standing[64];
  int64_t count = 0;
  const int64_t end = std::min(args.nested, start + args.branching);
  for (int64_t group = start; group < end; group += kGroup) {
    const int64_t size = std::min(kGroup, end - group);
    double t[kGroup] = {};
    // Four sums at once, since each is a chain of dependent additions.
    for (int64_t c = 0; c < size; c++) t[c] = args.cut[group + c];
    const float* factor = args.factor + group * args.rank;
    if (size == kGroup) {
      for (int64_t k = 0; k < args.rank; k++)
        for (int64_t c = 0; c < kGroup; c++) t[c] -= static_cast<double>(factor[c * args.rank + k]) * draw.common[k];
    } else {
      for (int64_t c = 0; c < size; c++)
        for (int64_t k = 0; k < args.rank; k++) t[c] -= static_cast<double>(factor[c * args.rank + k]) * draw.common[k];
    }
    for (int64_t c = 0; c < size; c++) {
      if (below(args, draw, group + c, t[c]) && hasSize(args, draw, group + c)) standing[count++] = group + c;
    }
  }
  if (count == 0) return;
  const double u = uniformFrom(wordOf(draw.key, static_cast<uint32_t>(3 * args.features + parent.feature)));
  const int64_t child = standing[static_cast<int64_t>(u * static_cast<double>(count))];
  const double scaled = static_cast<double>(sizeOf(args, draw, child)) * parent.value / args.mean[parent.feature];
  fired.push_back({static_cast<int32_t>(child), static_cast<float>(scaled)});
}

template <int W>
using Words __attribute__((vector_size(W * 4))) = uint32_t;

/** 0, 1, 2 … */
alignas(64) constexpr uint32_t kSteps[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/** Not negative in the lanes whose feature may fire: the bound less the uniform, which is rounded down. */
template <int W>
PIPELINE_INLINE F<W> chance(Key key, uint32_t feature, F<W> t) {
  Words<W> h;
  std::memcpy(&h, kSteps, sizeof h);
  h = (h + feature) * kGolden ^ key.a;
  h = (h ^ h >> 16) * kFirst;
  h = ((h ^ h >> 15) + key.b) * kSecond;
  h = (h ^ h >> 15) * kThird;
  h = h ^ h >> 16;
  const F<W> u = __builtin_convertvector(reinterpret_cast<I<W>>(h >> 8), F<W>) * 0x1p-24f;
  // 2^y, drawn as straight lines between whole y, which lie above it: the exponent's bits and the fraction's in one number.
  const F<W> y = larger<W>(t * t * -0.72134752f, splat<W>(-126.f));
  const F<W> power = reinterpret_cast<F<W>>(__builtin_convertvector((y + 127.f) * 8388608.f, I<W>));
  return larger<W>(power * 0.5005f + 1e-7f - u, splat<W>(1e-4f) - t);
}

/** Whether some lane is not negative. */
template <int W>
PIPELINE_INLINE bool some(F<W> value) {
  uint64_t parts[W / 2], all = ~uint64_t{0};
  std::memcpy(parts, &value, sizeof value);
  for (int i = 0; i < W / 2; i++) all &= parts[i];
  return (all & 0x8000000080000000u) != 0x8000000080000000u;
}

/** Tests features that lie side by side in `across`, for several samples in one pass; none may lie across the roots' end. */
template <int W>
PIPELINE_INLINE void drawBlocks(const TruthArgs& args, const Draw* draws, int64_t samples, int64_t begin, int64_t end,
                                std::vector<Entry>* fired) {
  const int64_t offset = begin < args.roots ? 0 : args.nested - args.roots;
  for (int64_t from = begin; from < end; from += W) {
    const int64_t left = args.own - from;
    const bool full = left >= W;
    const float* column = args.across + from;
    const F<W> cut = full ? load<W>(column + args.rank * args.own) : loadPart<W>(column + args.rank * args.own, left, 99);
    F<W> t[kTogether] = {cut, cut, cut, cut};
    for (int64_t k = 0; k < args.rank; k++) {
      const F<W> factor = full ? load<W>(column + k * args.own) : loadPart<W>(column + k * args.own, left);
#pragma GCC unroll 4
      for (int s = 0; s < kTogether; s++) t[s] -= factor * splatFrom<W>(draws[s].common + k);
    }
    F<W> most = splat<W>(-1);
#pragma GCC unroll 4
    for (int s = 0; s < kTogether; s++) {
      t[s] = chance<W>(draws[s].key, static_cast<uint32_t>(from + offset), t[s]);
      most = larger<W>(most, t[s]);
    }
    if (!some<W>(most)) continue;
    for (int64_t s = 0; s < samples; s++) {
      if (!some<W>(t[s])) continue;
      float lanes[W];
      store<W>(lanes, t[s]);
      for (int64_t i = 0; i < std::min<int64_t>(W, left); i++)
        if (lanes[i] >= 0) addOwn(args, draws[s], from + offset + i, fired[s]);
    }
  }
}

template <int W>
PIPELINE_INLINE void addRows(const TruthArgs& args, const std::vector<Entry>& fired, float* out) {
  std::copy(args.bias, args.bias + args.width, out);
  const int64_t count = static_cast<int64_t>(fired.size());
  const auto row = [&](int64_t n) { return args.directions + fired[n].feature * args.width; };
  int64_t n = 0;
  for (; n + 4 <= count; n += 4) {
    const float *a = row(n), *b = row(n + 1), *c = row(n + 2), *d = row(n + 3);
    const F<W> va = splat<W>(fired[n].value), vb = splat<W>(fired[n + 1].value);
    const F<W> vc = splat<W>(fired[n + 2].value), vd = splat<W>(fired[n + 3].value);
    int64_t i = 0;
    for (; i + W <= args.width; i += W)
      store<W>(out + i,
               load<W>(out + i) + va * load<W>(a + i) + vb * load<W>(b + i) + vc * load<W>(c + i) + vd * load<W>(d + i));
    for (; i < args.width; i++)
      out[i] = out[i] + fired[n].value * a[i] + fired[n + 1].value * b[i] + fired[n + 2].value * c[i] + fired[n + 3].value * d[i];
  }
  for (; n < count; n++) {
    const float* a = row(n);
    const F<W> value = splat<W>(fired[n].value);
    int64_t i = 0;
    for (; i + W <= args.width; i += W) store<W>(out + i, load<W>(out + i) + value * load<W>(a + i));
    for (; i < args.width; i++) out[i] += fired[n].value * a[i];
  }
}

template <int W>
PIPELINE_INLINE void drawRows(const TruthArgs& args, int64_t begin, int64_t end) {
  Draw draws[kTogether];
  for (int64_t row = begin; row < end; row += kTogether) {
    const int64_t samples = std::min(kTogether, end - row);
    for (int64_t s = 0; s < kTogether; s++) startDraw(args, std::min(row + s, end - 1), draws[s]);
    std::vector<Entry>* fired = args.fired + row;
    for (int64_t s = 0; s < samples; s++) fired[s].reserve(96);
    // Features after the roots have other numbers than places.
    const int64_t whole = args.roots / W * W;
    drawBlocks<W>(args, draws, samples, 0, whole, fired);
    for (int64_t i = whole; i < args.roots; i++)
      for (int64_t s = 0; s < samples; s++) addOwn(args, draws[s], i, fired[s]);
    drawBlocks<W>(args, draws, samples, args.roots, args.own, fired);
    for (int64_t s = 0; s < samples; s++) {
      // The list grows by the children, which are looked at for children of theirs in turn.
      for (size_t n = 0; n < fired[s].size(); n++) addChild(args, draws[s], fired[s][n], fired[s]);
      std::sort(fired[s].begin(), fired[s].end(), [](Entry a, Entry b) { return a.feature < b.feature; });
      for (const Entry& entry : fired[s]) {
        const float* const direction = args.directions + entry.feature * args.width;
        for (int64_t i = 0; i < std::min<int64_t>(args.width, 64); i += 16) __builtin_prefetch(direction + i);
      }
      addRows<W>(args, fired[s], args.out + (row + s) * args.width);
    }
  }
}
PIPELINE_KERNEL(drawSamples, drawRows, TruthArgs)

struct Truth {
  explicit Truth(Attributes&) {}

  void compute(const Call& call) const {
    const Tensor directions = call.input(0), bias = call.input(1), factor = call.input(2), cut = call.input(3);
    const Tensor across = call.input(4), mean = call.input(5), deviation = call.input(6), firstChild = call.input(7);
    const Tensor tail = call.input(8), plan = call.input(9);
    require(directions.rank() == 2 && factor.rank() == 2 && across.rank() == 2,
            "truth: directions, factor and across must be matrices.");
    require(plan.size() == 8, "truth: the plan must have 8 numbers.");
    const int32_t* numbers = plan.ints();
    TruthArgs args{};
    args.features = directions.dim(0);
    args.width = directions.dim(1);
    args.rank = factor.dim(1);
    args.own = across.dim(1);
    args.seed = {static_cast<uint32_t>(numbers[0]), static_cast<uint32_t>(numbers[1])};
    args.first = static_cast<uint64_t>(static_cast<uint32_t>(numbers[3])) << 32 | static_cast<uint32_t>(numbers[2]);
    args.rows = numbers[4];
    args.roots = numbers[5];
    args.nested = numbers[6];
    args.branching = numbers[7];
    const int64_t n = args.features;
    require(bias.size() == args.width, "truth: the bias must be as long as a row.");
    require(factor.dim(0) == n && cut.size() == n && mean.size() == n && deviation.size() == n && firstChild.size() == n,
            "truth: every table must have " + std::to_string(n) + " features.");
    require(0 <= args.roots && args.roots <= args.nested && args.nested <= n && args.own == args.roots + n - args.nested &&
                across.dim(0) == args.rank + 1,
            "truth: across must be [rank + 1, features without a parent].");
    require(args.rank <= kMostRank && args.branching <= 64, "truth: at most 256 factors and 64 children a parent.");
    require(n <= 1 << 28 && args.rows >= 0 && tail.size() > 1, "truth: the plan is out of range.");
    for (int64_t i = 0; i < n; i++)
      require(firstChild.ints()[i] < 0 || firstChild.ints()[i] > i, "truth: children must come after their parents.");

    const Tensor rows = call.floats(0, {args.rows, args.width});
    std::vector<std::vector<Entry>> fired(static_cast<size_t>(args.rows));
    args.directions = directions.floats();
    args.bias = bias.floats();
    args.factor = factor.floats();
    args.cut = cut.floats();
    args.across = across.floats();
    args.mean = mean.floats();
    args.deviation = deviation.floats();
    args.firstChild = firstChild.ints();
    args.tail = tail.floats();
    args.tailSize = tail.size();
    args.out = rows.floats();
    args.fired = fired.data();
    parallel(args.rows, 4 * kTogether, [&](int64_t begin, int64_t end) { drawSamples(args, begin, end); });

    const Tensor offsets = call.ints(1, {args.rows + 1});
    int32_t total = 0;
    for (int64_t row = 0; row <= args.rows; row++) {
      offsets.ints()[row] = total;
      if (row < args.rows) total += static_cast<int32_t>(fired[row].size());
    }
    const Tensor features = call.ints(2, {total}), values = call.floats(3, {total});
    for (int64_t row = 0; row < args.rows; row++)
      for (size_t i = 0; i < fired[row].size(); i++) {
        features.ints()[offsets.ints()[row] + i] = fired[row][i].feature;
        values.floats()[offsets.ints()[row] + i] = fired[row][i].value;
      }
  }
};
PIPELINE_OP(Truth, "PipelineTruth", {},
            {"directions: float", "bias: float", "factor: float", "cut: float", "across: float", "mean: float",
             "deviation: float", "first_child: int32", "tail: float", "plan: int32"},
            {"rows: float", "offsets: int32", "features: int32", "values: float"});

}  // namespace
}  // namespace pipeline
