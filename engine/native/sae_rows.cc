/** Norms of a decoder's rows, and bringing rows to norm 1 in place. */
#include <cmath>

#include "lanes.h"
#include "op.h"
#include "threads.h"

namespace pipeline {
namespace {

struct RowArgs {
  float* weight;
  float* norms;
  int64_t width, sites;
  bool unit;
};

template <int W>
PIPELINE_INLINE void measureRows(const RowArgs& args, int64_t begin, int64_t end) {
  const int64_t part = args.width / args.sites;
  for (int64_t row = begin; row < end; row++) {
    float norm = 0;
    for (int64_t site = 0; site < args.sites; site++) {
      const float* const from = args.weight + row * args.width + site * part;
      F<W> squares = F<W>{};
      for (int64_t i = 0; i < part; i += W) {
        const F<W> values = part - i >= W ? load<W>(from + i) : loadPart<W>(from + i, part - i);
        squares += values * values;
      }
      norm += std::sqrt(sum<W>(squares));
    }
    args.norms[row] = norm;
    if (!args.unit) continue;
    const float factor = norm > 0 ? 1 / norm : 0;
    for (int64_t i = 0; i < args.width; i++) args.weight[row * args.width + i] *= factor;
  }
}
PIPELINE_KERNEL(measure, measureRows, RowArgs)

/** Norms of rows that are made of `sites` equal parts, each with a norm of its own, added up. `unit` changes the rows. */
struct RowNorms {
  int64_t sites;
  bool unit;
  explicit RowNorms(Attributes& attributes) : sites(attributes.integer("sites")), unit(attributes.flag("unit")) {}

  void compute(const Call& call) const {
    const Tensor weight = call.input(0);
    require(weight.rank() == 2 && sites >= 1 && weight.dim(1) % sites == 0, "rowNorms: rows must be made of equal parts.");
    const Tensor norms = call.floats(0, {weight.dim(0)});
    const RowArgs args{weight.floats(), norms.floats(), weight.dim(1), sites, unit};
    parallel(weight.dim(0), 64, [&](int64_t begin, int64_t end) { measure(args, begin, end); });
  }
};
PIPELINE_OP(RowNorms, "PipelineRowNorms", {"sites: int", "unit: bool"}, {"weight: float"}, {"norms: float"});

}  // namespace
}  // namespace pipeline
