/**
 * Sums of a weight gradient's rows, from entries (row, latent, value, its gradient) that are sorted by latent.
 */
#pragma once
#include <algorithm>
#include <vector>

#include "lanes.h"
#include "op.h"
#include "sae_rows.h"

namespace pipeline {
namespace {

/** One set of entries: values and their gradients [rows, k], and the rows g that the values multiplied. */
struct Entries {
  const float *values, *dz, *g;
  const int32_t* indices;
  int64_t rows, k;
  const int32_t* ends;  // the first latent beyond each level of g; the last level's end is not read
  int64_t levels;

  /** The rows of g that a latent's values multiplied. */
  const float* rowsOf(int64_t latent, int64_t width) const {
    int64_t level = 0;
    while (level + 1 < levels && latent >= ends[level]) level++;
    return g + level * rows * width;
  }
};

/** An entry after sorting by latent. */
struct Entry {
  int32_t row;
  float value, dz;
};

/** Gradients of the latents in use, summed beforehand: those of the decoder and then of the encoder, a latent a row. */
struct DenseSums {
  std::vector<int32_t> latents, places;  // the latents in use; the place of each latent among them
  float* floats = nullptr;               // null where the set is not dense
  int64_t width = 0;
  float* of(int64_t latent) const { return floats + places[latent] * width; }
};

/** Sorts a set's entries by latent, rows ascending. Entries of value 0 do not count. */
void sortEntries(const Entries& set, int64_t latents, std::vector<int32_t>& starts, std::vector<Entry>& sorted) {
  starts.assign(latents + 1, 0);
  const int64_t total = set.rows * set.k;
  for (int64_t n = 0; n < total; n++)
    if (set.values[n] != 0) starts[set.indices[n] + 1]++;
  for (int64_t i = 0; i < latents; i++) starts[i + 1] += starts[i];
  sorted.resize(starts[latents]);
  std::vector<int32_t> next(starts.begin(), starts.end() - 1);
  for (int64_t n = 0; n < total; n++)
    if (set.values[n] != 0)
      sorted[next[set.indices[n]]++] = {static_cast<int32_t>(n / set.k), set.values[n], set.dz[n]};
}

/** Adds a latent's entries [n, stop) to its gradients and returns that of its bias. Entries up to `all` come next. */
template <int W>
PIPELINE_INLINE float addEntries(const Entry* entries, int64_t n, int64_t stop, int64_t all, const float* g, const float* x,
                                 int64_t outputs, int64_t inputs, float* gDec, float* gEnc) {
  float gBias = 0;
  // Latents follow one another in memory, so the entries ahead belong to the next rows.
  const auto ahead = [&](int64_t from, int64_t to) {
    for (int64_t next = from; next < std::min(to, all); next++) {
      foresee(g + entries[next].row * outputs, outputs);
      foresee(x + entries[next].row * inputs, inputs);
    }
  };
  for (; n + 4 <= stop; n += 4) {
    ahead(n + 4, n + 8);
    const float *gRows[4], *xRows[4];
    float values[4], dz[4];
    for (int i = 0; i < 4; i++) {
      gRows[i] = g + entries[n + i].row * outputs;
      xRows[i] = x + entries[n + i].row * inputs;
      values[i] = entries[n + i].value;
      gBias += dz[i] = entries[n + i].dz;
    }
    addScaledFour<W>(gRows, values, gDec, outputs);
    addScaledFour<W>(xRows, dz, gEnc, inputs);
  }
  for (; n < stop; n++) {
    ahead(n + 2, n + 3);
    addScaled<W>(g + entries[n].row * outputs, entries[n].value, gDec, outputs);
    addScaled<W>(x + entries[n].row * inputs, entries[n].dz, gEnc, inputs);
    gBias += entries[n].dz;
  }
  return gBias;
}

// A set is dense where the latents it uses are each used by many rows, as AuxK's are. Then reading a row of x and g for each
// entry takes more than summing them; so a group of latents goes through the rows block by block, both in the second cache.
constexpr int64_t kDenseEntries = 64;  // entries a latent in use, on average
constexpr int64_t kGroup = 128;        // latents
constexpr int64_t kRows = 64;          // rows of a block

struct DenseArgs {
  const Entries& set;
  const std::vector<int32_t>& starts;  // [latents + 1]
  const Entry* entries;                // sorted by latent
  const DenseSums& sums;
  const float* x;
  int64_t inputs, outputs;
};

/** Sums the entries of groups of latents. */
template <int W>
PIPELINE_INLINE void sumGroups(const DenseArgs& args, int64_t begin, int64_t end) {
  const auto& [set, starts, entries, sums, x, inputs, outputs] = args;
  for (int64_t group = begin; group < end; group++) {
    const int64_t first = group * kGroup, last = std::min<int64_t>(first + kGroup, sums.latents.size());
    int64_t next[kGroup];
    for (int64_t i = first; i < last; i++) next[i - first] = starts[sums.latents[i]];
    for (int64_t row = 0; row < set.rows; row += kRows)
      for (int64_t i = first; i < last; i++) {
        const int64_t latent = sums.latents[i], from = next[i - first];
        int64_t to = from;
        while (to < starts[latent + 1] && entries[to].row < row + kRows) to++;
        float* const at = sums.of(latent);
        addEntries<W>(entries, from, to, to, set.rowsOf(latent, outputs), x, outputs, inputs, at, at + outputs);
        next[i - first] = to;
      }
  }
}
PIPELINE_KERNEL(sumDense, sumGroups, DenseArgs)

}  // namespace
}  // namespace pipeline
