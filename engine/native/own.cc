/** Tensors in memory of their own, which ops may change in place: copies, and zeros. */
#include <algorithm>

#include "op.h"
#include "packed.h"
#include "threads.h"

namespace pipeline {
namespace {

constexpr int64_t kTile = 32;

/** Memory of an output that is to be written, in large pages. */
float* memoryOf(const Tensor& y) {
  askForLargePages(y.floats(), static_cast<size_t>(y.size()) * 4);
  return y.floats();
}

/** A copy; of a matrix, with `turned`, its transpose. */
struct Own {
  bool turned;
  explicit Own(Attributes& attributes) : turned(attributes.flag("turned")) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0);
    require(!turned || x.rank() == 2, "own: only a matrix can be turned.");
    const float* const from = x.floats();
    if (!turned) {
      const Tensor y = call.floats(0, x.shape());
      std::copy(from, from + x.size(), memoryOf(y));
      return;
    }
    const int64_t rows = x.dim(0), columns = x.dim(1);
    const Tensor y = call.floats(0, {columns, rows});
    float* const to = memoryOf(y);
    parallel((columns + kTile - 1) / kTile, 1, [&](int64_t begin, int64_t end) {
      for (int64_t left = begin * kTile; left < std::min(columns, end * kTile); left += kTile)
        for (int64_t top = 0; top < rows; top += kTile)
          for (int64_t column = left; column < std::min(columns, left + kTile); column++)
            for (int64_t row = top; row < std::min(rows, top + kTile); row++) to[column * rows + row] = from[row * columns + column];
    });
  }
};
PIPELINE_OP(Own, "PipelineOwn", {"turned: bool"}, {"x: float"}, {"y: float"});

struct OwnZeros {
  explicit OwnZeros(Attributes&) {}

  void compute(const Call& call) const {
    const Tensor shape = call.input(0);
    const std::vector<int64_t> dims(shape.ints(), shape.ints() + shape.size());
    const Tensor y = call.floats(0, dims);
    std::fill_n(memoryOf(y), y.size(), 0.f);
  }
};
PIPELINE_OP(OwnZeros, "PipelineOwnZeros", {}, {"shape: int32"}, {"y: float"});

}  // namespace
}  // namespace pipeline
