/**
 * BatchTopK's choice: of the latents that each row might keep, the `count` largest of the whole batch. Values are bits that
 * rise with them, so two histograms, of the upper and of the lower 16 bits, find the smallest that stays. Of values equal to
 * it the first in the batch stay.
 */
#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "op.h"
#include "threads.h"

namespace pipeline {
namespace {

uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

/** The `count`-th largest of the positive values; 0 where there are fewer. `above` is how many are larger. */
float smallestKept(const float* values, int64_t size, int64_t count, int64_t& above) {
  std::vector<int32_t> upper(1 << 15), lower(1 << 16);
  for (int64_t i = 0; i < size; i++)
    if (values[i] > 0) upper[bitsOf(values[i]) >> 16]++;
  int64_t left = count;
  int32_t bin = (1 << 15) - 1;
  while (bin >= 0 && upper[bin] < left) left -= upper[bin--];
  above = count - left;
  if (bin < 0) return 0;
  for (int64_t i = 0; i < size; i++)
    if (values[i] > 0 && static_cast<int32_t>(bitsOf(values[i]) >> 16) == bin) lower[bitsOf(values[i]) & 0xffff]++;
  int32_t low = (1 << 16) - 1;
  while (lower[low] < left) left -= lower[low--];
  above = count - left;
  const uint32_t bits = static_cast<uint32_t>(bin) << 16 | static_cast<uint32_t>(low);
  float found;
  std::memcpy(&found, &bits, 4);
  return found;
}

struct KeepLargest {
  explicit KeepLargest(Attributes&) {}

  void compute(const Call& call) const {
    const Tensor values = call.input(0), indices = call.input(1), counts = call.input(2);
    require(values.rank() == 2 && indices.rank() == 2 && values.dim(0) == indices.dim(0) && values.dim(1) == indices.dim(1),
            "keepLargest: values and indices must both be [rows, k].");
    require(counts.size() == 1 && counts.ints()[0] >= 0, "keepLargest: the count must be one number that is not negative.");
    const int64_t rows = values.dim(0), k = values.dim(1), count = counts.ints()[0];
    const float* const from = values.floats();
    const int32_t* const at = indices.ints();
    int64_t above = 0;
    const float least = count > 0 ? smallestKept(from, rows * k, count, above) : std::numeric_limits<float>::infinity();
    // What each row keeps, of which the last `equals` may be ties beyond the count.
    int64_t ties = least > 0 ? count - above : 0, most = 1;
    float smallest = std::numeric_limits<float>::infinity();
    bool full = false;
    std::vector<int32_t> kept(rows), equals(rows);
    for (int64_t row = 0; row < rows; row++) {
      int32_t larger = 0, equal = 0;
      float last = std::numeric_limits<float>::infinity();
      for (int64_t j = row * k; j < (row + 1) * k; j++) {
        const float value = from[j];
        larger += value > 0 && value > least;
        equal += value > 0 && value == least;
        last = std::min(last, value);
        if (value > 0 && value >= least) smallest = std::min(smallest, value);
      }
      full |= count > 0 && last > 0 && last >= least;
      equals[row] = static_cast<int32_t>(std::min<int64_t>(equal, ties));
      ties -= equals[row];
      kept[row] = larger + equals[row];
      most = std::max<int64_t>(most, kept[row]);
    }
    const Tensor outValues = call.floats(0, {rows, most}), outIndices = call.ints(1, {rows, most}), report = call.floats(2, {4});
    float* const toValues = outValues.floats();
    int32_t* const toIndices = outIndices.ints();
    parallel(rows, 256, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; row++) {
        int64_t to = row * most;
        int32_t left = equals[row];
        for (int64_t j = row * k; j < (row + 1) * k; j++) {
          const float value = from[j];
          if (value <= 0 || value < least || (value == least && left-- <= 0)) continue;
          toValues[to] = value;
          toIndices[to++] = at[j];
        }
        std::fill(toValues + to, toValues + (row + 1) * most, 0.f);
        std::fill(toIndices + to, toIndices + (row + 1) * most, 0);
      }
    });
    int64_t all = 0;
    for (int64_t row = 0; row < rows; row++) all += kept[row];
    report.floats()[0] = all > 0 ? smallest : std::numeric_limits<float>::infinity();
    report.floats()[1] = full;
    report.floats()[2] = all == count;
    report.floats()[3] = static_cast<float>(most);
  }
};
PIPELINE_OP(KeepLargest, "PipelineKeepLargest", {}, {"values: float", "indices: int32", "count: int32"},
            {"kept: float", "kept_indices: int32", "report: float"});

}  // namespace
}  // namespace pipeline
