/**
 * What a change of the values that logits are a product of does to the predictions, without logits in memory:
 *
 *   d = scale · x W          for each row x [width] of changes; W [vocabulary, width]
 *   y = (ln Σ_v p_v e^{d_v},  Σ_v p_v d_v,  d_next)
 *
 * with p the prediction at the row's position. The first is log1p Σ p expm1(d), so that nothing large is taken from something large,
 * and x = 0 gives exactly 0. Where that sum is near -1, since an edit takes most of the prediction away, it is ln Σ p e^d, all of
 * whose terms are positive. Where either sum leaves float32, the row is done again as ln Σ e^{ln p + d} in float64.
 */
#include <algorithm>
#include <cmath>

#include "gemm.h"
#include "op.h"
#include "packed.h"
#include "threads.h"

namespace pipeline {
namespace {

constexpr int64_t kRowsOfPiece = 64;
/** Above this the sum of p expm1(d) has the digits that its logarithm needs, below it that of p e^d has. */
constexpr float kLeast = -0.5f;
/** Between these no term that counts has left float32. */
constexpr float kFewest = 1e-25f, kMost = 1e30f;

struct ChangeArgs {
  const float *x, *weight, *probabilities;
  const int32_t *positions, *next;  // of each row; a next token of -1 is none
  float* packed;
  float* y;
  int64_t rows, width, vocabulary;
  float scale;
};

/** e^x - 1, of full relative precision near 0; `whole` is e^x. */
template <int W>
PIPELINE_INLINE F<W> exponentialLessOne(F<W> x, F<W> whole) {
  const F<W> magnitudes = magnitude<W>(x);
  // Taylor's series to x⁹ within ½: its remainder is 2e-9 of x.
  F<W> p = splat<W>(1.f / 362880);
  p = p * x + 1.f / 40320;
  p = p * x + 1.f / 5040;
  p = p * x + 1.f / 720;
  p = p * x + 1.f / 120;
  p = p * x + 1.f / 24;
  p = p * x + 1.f / 6;
  p = p * x + 0.5f;
  const F<W> near = x + x * x * p;
  return magnitudes < 0.5f ? near : whole - 1.f;
}

template <int W>
PIPELINE_INLINE void packWeight(const ChangeArgs& args, int64_t begin, int64_t end) {
  for (int64_t panel = begin; panel < end; panel++)
    packPanel<W>(args.weight, args.width, args.vocabulary, true, panel * kPanel<W>, args.packed + panel * kPanel<W> * args.width);
}
PIPELINE_KERNEL(pack, packWeight, ChangeArgs)

/** Sums over the vocabulary so far, a vector of lanes for each row. */
template <int W>
struct RowSums {
  const ChangeArgs& args;
  int64_t first;
  float *less, *left, *mean, *next;
  PIPELINE_INLINE void operator()(const float* c, int64_t row0, int64_t panel) const {
    const int64_t rows = std::min<int64_t>(kTileRows<W>, std::min(kRowsOfPiece, args.rows - first) - row0);
    const int64_t column = panel * kPanel<W>;
    for (int64_t r = 0; r < rows; r++) {
      const int64_t row = row0 + r;
      const float* const p = args.probabilities + args.positions[first + row] * args.vocabulary + column;
      F<W> change = load<W>(less + row * W), whole = load<W>(left + row * W), average = load<W>(mean + row * W);
      for (int v = 0; v < 3; v++) {
        const int64_t columns = args.vocabulary - column - v * W;
        if (columns <= 0) break;
        const F<W> d = load<W>(c + r * kPanel<W> + v * W) * args.scale;
        const F<W> share = columns >= W ? load<W>(p + v * W) : loadPart<W>(p + v * W, columns);
        const F<W> grown = exponential<W>(d);
        change += share * exponentialLessOne<W>(d, grown);
        whole += share * grown;
        average += share * d;
      }
      store<W>(less + row * W, change);
      store<W>(left + row * W, whole);
      store<W>(mean + row * W, average);
      const int64_t wanted = args.next[first + row] - column;
      if (wanted >= 0 && wanted < kPanel<W>) next[row] = c[r * kPanel<W> + wanted] * args.scale;
    }
  }
};

/** ln Σ_v p_v e^{d_v} of one row, whatever its size: slow, and seldom asked for. */
double logMean(const ChangeArgs& args, int64_t row) {
  const float* const x = args.x + row * args.width;
  const float* const p = args.probabilities + args.positions[row] * args.vocabulary;
  double top = -INFINITY, total = 0;
  for (int64_t v = 0; v < args.vocabulary; v++) {
    if (!(p[v] > 0)) continue;
    const float* const w = args.weight + v * args.width;
    double d = 0;
    for (int64_t j = 0; j < args.width; j++) d += static_cast<double>(x[j]) * w[j];
    const double term = std::log(static_cast<double>(p[v])) + d * args.scale;
    if (term > top) {
      total *= std::exp(top - term);
      top = term;
    }
    total += std::exp(term - top);
  }
  return top + std::log(total);
}

template <int W>
PIPELINE_INLINE void changePieces(const ChangeArgs& args, int64_t begin, int64_t end) {
  const int64_t product = groupScratch<W>(kRowsOfPiece, args.width);
  float* const memory = scratch(product + kRowsOfPiece * (3 * W + 1));
  float* const less = memory + product;
  float* const left = less + kRowsOfPiece * W;
  float* const mean = left + kRowsOfPiece * W;
  float* const next = mean + kRowsOfPiece * W;
  const int64_t panels = (args.vocabulary + kPanel<W> - 1) / kPanel<W>;
  for (int64_t piece = begin; piece < end; piece++) {
    const int64_t first = piece * kRowsOfPiece, rows = std::min(kRowsOfPiece, args.rows - first);
    std::memset(less, 0, static_cast<size_t>(kRowsOfPiece * (3 * W + 1)) * 4);
    multiplyGroup<W>(args.x + first * args.width, rows, args.width, args.packed, panels, memory,
                     RowSums<W>{args, first, less, left, mean, next});
    for (int64_t row = 0; row < rows; row++) {
      float* const y = args.y + (first + row) * 3;
      const float change = sum<W>(load<W>(less + row * W)), whole = sum<W>(load<W>(left + row * W));
      if (change > kLeast && change < kMost)
        y[0] = std::log1p(change);
      else if (whole > kFewest && whole < kMost)
        y[0] = std::log(whole);
      else
        y[0] = static_cast<float>(logMean(args, first + row));
      y[1] = sum<W>(load<W>(mean + row * W));
      y[2] = next[row];
    }
  }
}
PIPELINE_KERNEL(change, changePieces, ChangeArgs)

struct LogitChanges {
  float scale;
  explicit LogitChanges(Attributes& attributes) : scale(attributes.number("scale")) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0), weight = call.input(1), probabilities = call.input(2);
    const Tensor positions = call.input(3), next = call.input(4);
    require(x.rank() == 2 && weight.rank() == 2 && weight.dim(1) == x.dim(1),
            "logit changes: x must be [rows, width] and the weight [vocabulary, width].");
    const int64_t rows = x.dim(0), vocabulary = weight.dim(0);
    require(probabilities.rank() == 2 && probabilities.dim(1) == vocabulary,
            "logit changes: probabilities must be [position, vocabulary].");
    require(positions.size() == rows && next.size() == rows, "logit changes: each row must have a position and a next token.");
    for (int64_t i = 0; i < rows; i++)
      require(positions.ints()[i] >= 0 && positions.ints()[i] < probabilities.dim(0) && next.ints()[i] >= -1 &&
                  next.ints()[i] < vocabulary,
              "logit changes: there is no such position or token.");
    const Tensor y = call.floats(0, {rows, 3});
    if (rows == 0) return;
    const int64_t panel = panelColumns(), panels = (vocabulary + panel - 1) / panel;
    const ChangeArgs args{x.floats(), weight.floats(), probabilities.floats(), positions.ints(), next.ints(),
                          sharedScratch(panels * panel * x.dim(1)), y.floats(), rows, x.dim(1), vocabulary, scale};
    parallel(panels, 4, [&](int64_t begin, int64_t end) { pack(args, begin, end); });
    parallel((rows + kRowsOfPiece - 1) / kRowsOfPiece, 1, [&](int64_t begin, int64_t end) { change(args, begin, end); });
  }
};
PIPELINE_OP(LogitChanges, "PipelineLogitChanges", {"scale: float"},
            {"x: float", "weight: float", "probabilities: float", "positions: int32", "next: int32"}, {"y: float"});

}  // namespace
}  // namespace pipeline
