/**
 * What becomes of a group's lists. Of a top-k the k latents that are likeliest the largest get their exact values first, and those
 * give a threshold that only few other bounds exceed. Where many do, products in float32 in any order narrow their bounds. What
 * is left then is summed in the dense kernel's order, too.
 */
#pragma once
#include <functional>

#include "packed.h"
#include "sae_rows.h"
#include "screen_groups.h"
#include "screen_products.h"
#include "screen_sums.h"

namespace pipeline {
namespace screening {

/** Bytes of latents that are read in float32 for all rows of a group before the next. */
constexpr int64_t kTileBytes = 384 << 10;
/** As many in question are summed in order at once. */
constexpr int64_t kFewInQuestion = 8;

/** Asks early for what will be read of chosen latents. */
inline void foresee(const Pass& pass, const int32_t* columns, int64_t count) {
  const int64_t inputs = pass.task.inputs;
  for (int64_t i = 0; i < count; i++)
    for (int64_t d = 0; d < inputs; d += 16) __builtin_prefetch(pass.task.weight + columns[i] * inputs + d, 0, 2);
}

/** The values that the dense kernel would give; room for 64 more must follow `values`. */
template <int W>
PIPELINE_INLINE void exactValues(const Pass& pass, int64_t place, const int32_t* columns, int64_t count, float* values) {
  const ScreenTask& task = pass.task;
  productsInOrder<W>(pass.rowOf(place), task.weight, task.inputs, columns, count, values);
  for (int64_t i = 0; i < count; i++) {
    const float shifted = values[i] + pass.latents.plain[columns[i]];
    values[i] = task.scale ? shifted * task.scale[columns[i]] : shifted;
  }
}

/** Takes the k latents of a row with the highest bounds, and at most a few that equal them, out of its list. */
template <int W>
PIPELINE_INLINE void choose(const Group& group, const Lists& lists, int64_t row) {
  const int64_t count = lists.counts[row], k = lists.k;
  float *const high = lists.uppers + row * lists.room, *const low = lists.lowers + row * lists.room;
  int32_t* const columns = lists.columns + row * lists.room;
  float* const middles = group.values;
  for (int64_t i = 0; i < count; i++) middles[i] = std::max(0.f, high[i] + low[i]);
  const float least = count > k ? reachedBy<W>(middles, count, k) : 0;
  int32_t known = 0, kept = 0;
  for (int64_t i = 0; i < count; i++) {
    if (middles[i] >= least && known < group.knownRoom) {
      group.known[row * group.knownRoom + known++] = columns[i];
      continue;
    }
    high[kept] = high[i];
    low[kept] = low[i];
    columns[kept++] = columns[i];
  }
  group.knownCounts[row] = known;
  lists.counts[row] = kept;
}

/** The k-th largest exact value that is known of a row; below all where there are fewer. */
inline float kthKnown(const Group& group, const Lists& lists, int64_t row) {
  const int64_t count = group.knownCounts[row];
  if (lists.k == 0 || count < lists.k) return -HUGE_VALF;
  const float* const values = group.knownValues + row * group.knownRoom;
  std::copy(values, values + count, group.values);
  std::nth_element(group.values, group.values + lists.k - 1, group.values + count, std::greater<float>());
  return group.values[lists.k - 1];
}

/** Exact values of the likeliest latents of each row, and what they say of its threshold and fate. */
template <int W>
PIPELINE_INLINE void settleGroup(const Pass& pass, const Group& group, const Lists& lists, int64_t first) {
  for (int64_t row = 0; row < group.rows; row++) choose<W>(group, lists, row);
  for (int64_t row = 0; row < group.rows; row++) {
    const int64_t room = group.knownRoom, next = row + 1 < group.rows ? row + 1 : row, place = pass.row(first + row);
    foresee(pass, group.known + next * room, group.knownCounts[next]);
    exactValues<W>(pass, first + row, group.known + row * room, group.knownCounts[row], group.knownValues + row * room);
    const float kth = kthKnown(group, lists, row);
    pass.fates[place] = lists.left(row) ? kLeft : lists.keeps(row, kth) ? kDone : kAgain;
    if (pass.reached) pass.reached[place] = group.whole[row] > 0 ? std::max(0.f, kth) / group.whole[row] : 0;
    if (pass.fates[place] == kDone) lists.raise(row, kth);
    else lists.counts[row] = 0;
  }
}

/** Whether a row has so many in question that narrower bounds pay. */
inline bool needsNarrowing(const Pass& pass, const Lists& lists, int64_t row) {
  const int64_t count = lists.counts[row];
  if (!pass.task.bounds) return count > kFewInQuestion;
  int64_t sure = 0;
  for (int64_t i = 0; i < count; i++) sure += lists.lowers[row * lists.room + i] > lists.slacks[row];
  return count > sure + sure / 2 + 16;
}

/** Bounds of up to four columns in question by float32 products with the row. */
template <int W>
PIPELINE_INLINE void narrowFour(const Pass& pass, const Group& group, const Lists& lists, const float* x, int64_t row,
                                int64_t at, int64_t count) {
  const ScreenTask& task = pass.task;
  const float* rows[4];
  float products[4];
  for (int64_t i = 0; i < 4; i++) rows[i] = task.weight + lists.columns[at + (i < count ? i : 0)] * task.inputs;
  if (count > 1) productFour<W>(x, rows, products, task.inputs);
  else products[0] = productApart<W>(x, rows[0], task.inputs);
  for (int64_t i = 0; i < count; i++) {
    const int32_t column = lists.columns[at + i];
    const float factor = task.scale ? task.scale[column] : 1.f, bound = task.bounds ? task.bounds[column] : 0.f;
    const float value = (products[i] + pass.latents.plain[column]) * factor - bound;
    const float error = group.narrow[row] * pass.latents.whole[column] + pass.latents.slack[column] +
                        static_cast<float>(16 * kUnit) * (std::fabs(value) + std::fabs(bound));
    lists.uppers[at + i] = value + error;
    lists.lowers[at + i] = std::max(0.f, value - error);
  }
}

/** Narrows the bounds of the rows that need it, a tile of latents at a time. */
template <int W>
PIPELINE_INLINE void narrowGroup(const Pass& pass, const Group& group, const Lists& lists, int64_t first) {
  const ScreenTask& task = pass.task;
  const int64_t tile = std::max<int64_t>(16, kTileBytes / (4 * std::max<int64_t>(1, task.inputs)));
  bool any = false;
  for (int64_t row = 0; row < group.rows; row++) {
    const bool needs = needsNarrowing(pass, lists, row);
    group.cursors[row] = needs ? 0 : -1;
    any = any || needs;
  }
  for (int64_t stop = tile; any && stop < task.latents + tile; stop += tile)
    for (int64_t row = 0; row < group.rows; row++) {
      if (group.cursors[row] < 0) continue;
      const float* const x = pass.rowOf(first + row);
      const int64_t begin = row * lists.room, end = begin + lists.counts[row];
      int64_t at = begin + group.cursors[row];
      while (at < end && lists.columns[at] < stop) {
        int64_t count = 1;
        while (count < 4 && at + count < end && lists.columns[at + count] < stop) count++;
        narrowFour<W>(pass, group, lists, x, row, at, count);
        at += count;
      }
      group.cursors[row] = static_cast<int32_t>(at - begin);
    }
  for (int64_t row = 0; row < group.rows; row++)
    if (group.cursors[row] >= 0) lists.drop(row);
}

/** Gives a row's latents, known and in question, with their exact values. */
template <int W>
PIPELINE_INLINE void finishRow(const Pass& pass, const Group& group, const Lists& lists, int64_t row, int64_t first) {
  const int64_t room = group.knownRoom, knownCount = group.knownCounts[row], count = lists.counts[row];
  const int32_t *const columns = lists.columns + row * lists.room, *const known = group.known + row * room;
  float* const values = lists.uppers + row * lists.room;  // which nobody needs any more
  exactValues<W>(pass, first + row, columns, count, values);
  int64_t a = 0, b = 0;
  for (int64_t i = 0; i < knownCount + count; i++) {
    const bool own = a < knownCount && (b == count || known[a] < columns[b]);
    group.merged[i] = own ? known[a] : columns[b];
    group.values[i] = own ? group.knownValues[row * room + a++] : values[b++];
  }
  pass.sink(pass.row(first + row), group.merged, group.values, knownCount + count);
}

/** Screens the groups [begin, end). */
template <class Product>
PIPELINE_INLINE void screenGroups(const Product& product, const Pass& pass, int64_t begin, int64_t end) {
  constexpr int W = Product::kLanes;
  const int64_t k = pass.task.bounds ? 0 : pass.task.k;
  const int64_t own = Group::memory(pass.groupRows, pass.task.inputs, k, pass.room);
  float* const memory = scratch(own + Lists::cells(pass.groupRows, pass.room));
  for (int64_t number = begin; number < end; number++) {
    const int64_t first = pass.first + number * pass.groupRows, rows = std::min(pass.groupRows, pass.stop - first);
    const Group group(memory, rows, pass.task.inputs, k, pass.room);
    const Lists lists(memory + own, rows, k, pass.room);
    readRows<W>(pass, group, lists, first);
    multiplyGroup(product, pass, group, lists);
    for (int64_t row = 0; row < rows; row++) lists.thin<W>(row);
    int64_t candidates = 0, summed = 0;
    for (int64_t row = 0; row < rows; row++) group.cursors[row] = lists.counts[row];
    settleGroup<W>(pass, group, lists, first);
    for (int64_t row = 0; row < rows; row++)
      if (pass.fates[pass.row(first + row)] == kDone) candidates += group.cursors[row];
    narrowGroup<W>(pass, group, lists, first);
    for (int64_t row = 0; row < rows; row++) {
      if (row + 1 < rows) foresee(pass, lists.columns + (row + 1) * lists.room, lists.counts[row + 1]);
      if (pass.fates[pass.row(first + row)] != kDone) continue;
      summed += group.knownCounts[row] + lists.counts[row];
      finishRow<W>(pass, group, lists, row, first);
    }
    *pass.candidates += candidates;
    *pass.summed += summed;
  }
}

}  // namespace screening
}  // namespace pipeline
