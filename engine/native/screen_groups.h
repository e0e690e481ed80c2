/** The screening of groups of rows, from their rounding to the values of what is left in question. */
#pragma once
#include <atomic>

#include "packed.h"
#include "sae_rows.h"
#include "screen_latents.h"
#include "screen_lists.h"
#include "screen_products.h"
#include "screen_sums.h"

namespace pipeline {
namespace screening {

/** Steps of the depth in which a block's operands stay in the first cache. */
constexpr int64_t kInner = 12;
/** Bytes of latents that are read in float32 for all rows of a group before the next. */
constexpr int64_t kTileBytes = 384 << 10;

/** What becomes of a row: it is done, left to the dense kernel, or to be screened again since it did not keep its guess. */
enum Fate : uint8_t { kDone = 0, kLeft = 1, kAgain = 2 };

/** What all threads read. */
struct Pass {
  const ScreenTask& task;
  const Form form;
  const Latents& latents;
  const float* mean;  // what is taken off the rows, null for nothing
  double meanNorm;
  double largest;  // of the latents' norms and factors, more or less
  const ScreenSink& sink;
  uint8_t* fates;        // [rows]
  float* reached;        // [rows] thresholds over norms, null where nobody asks
  float guess;           // what these will be at least, 0 for nothing
  const int32_t* order;  // the rows to screen, null for all in order
  std::atomic<int64_t>*candidates, *summed;
  int64_t room;
  int64_t first, groupRows, stop;  // groups begin at row `first` and end before `stop`, both counted along `order`

  int64_t row(int64_t place) const { return order ? order[place] : place; }
  const float* rowOf(int64_t place) const { return task.x + row(place) * task.inputs; }
};

/** A group's rows beside their lists. */
struct Group {
  int64_t rows;
  int32_t* cells;  // as rows of A
  int32_t* sums;   // a block, or as many as there are where the depth is cut
  float *scale, *whole, *error;  // [rows] as the bounds take them
  float* narrow;                 // [rows] the float32 sums' own error, times a latent's `whole`
  int32_t* cursors;              // [rows]
  float* values;                 // as many as a row has in question, or as it has cells, and 64 more

  static int64_t blocks(int64_t rows) { return (rows + kSide - 1) / kSide; }
  /** 4-byte cells of memory. */
  static int64_t memory(const Form& form, int64_t rows, int64_t inputs, int64_t room) {
    const int64_t sums = form.steps(inputs) > kInner ? blocks(rows) : 1;
    return blocks(rows) * form.steps(inputs) * kStep + sums * kSide * kSide + rows * 5 + std::max(room, form.steps(inputs) * kCells) + 64;
  }
  Group(float* memory, const Form& form, int64_t rows, int64_t inputs) : rows(rows) {
    const int64_t steps = form.steps(inputs);
    cells = reinterpret_cast<int32_t*>(memory);
    sums = cells + blocks(rows) * steps * kStep;
    scale = reinterpret_cast<float*>(sums + (steps > kInner ? blocks(rows) : 1) * kSide * kSide);
    whole = scale + rows;
    error = whole + rows;
    narrow = error + rows;
    cursors = reinterpret_cast<int32_t*>(narrow + rows);
    values = reinterpret_cast<float*>(cursors + rows);
  }
};

/** Rounds a group's rows, and begins their lists. */
template <int W>
PIPELINE_INLINE void readRows(const Pass& pass, const Group& group, const Lists& lists, int64_t first) {
  const int64_t inputs = pass.task.inputs, steps = pass.form.steps(inputs);
  // What float32 adds: the dense sum's roundings, those of its bias and factor, and those of the bounds themselves.
  const double n = static_cast<double>(inputs), one = (n + 64) * kUnit / (1 - (n + 64) * kUnit);
  int32_t* const row = reinterpret_cast<int32_t*>(group.values);
  for (int64_t r = 0; r < Group::blocks(group.rows) * kSide; r++) {
    int32_t* const to = group.cells + r / kSide * steps * kStep + r % kSide * kCells;
    if (r >= group.rows) {
      for (int64_t step = 0; step < steps; step++) std::memset(to + step * kStep, 0, kCells * 4);
      continue;
    }
    const Norms norms = roundRow<W>(pass.form, pass.rowOf(first + r), pass.mean, inputs, row);
    for (int64_t step = 0; step < steps; step++)
      for (int64_t cell = 0; cell < kCells; cell++)
        to[step * kStep + cell] = row[step * kCells + cell] ^ (pass.form.offset ? static_cast<int32_t>(0x80808080) : 0);
    const double all = norms.whole + 2.0 * norms.error + 2 * pass.meanNorm;
    group.scale[r] = norms.scale;
    group.whole[r] = upwards(norms.whole * (1 + 64 * kUnit));
    group.error[r] = upwards((norms.error + one * all) * (1 + 64 * kUnit));
    group.narrow[r] = upwards(2.01 * one * all);
    if (norms.whole == 0 && pass.meanNorm == 0) group.whole[r] = group.error[r] = group.narrow[r] = 0;
    // What numbers too small to be normal may lose.
    const float lost = all == 0 ? 0.f : static_cast<float>((n + 64) * 1e-34 * (1 + all) * (1 + pass.largest));
    lists.begin(r, pass.task.bounds ? 0.f : pass.task.floor, lost, pass.guess * norms.whole);
    if (!norms.usable) lists.leave(r);
  }
}

/** Puts what a block of sums leaves in question into the rows' lists. */
template <int W>
PIPELINE_INLINE void scan(const Pass& pass, const Group& group, const Lists& lists, const int32_t* sums, int64_t block,
                          int64_t panel) {
  const int64_t row0 = block * kSide, rows = std::min(kSide, group.rows - row0);
#pragma GCC unroll 4
  for (int64_t v = 0; v < kSide / W; v++) {
    const int64_t column = panel * kSide + v * W;
    const Latents& latents = pass.latents;
    const F<W> scale = load<W>(latents.scale + column), high = load<W>(latents.high + column);
    const F<W> errors = load<W>(latents.error + column), whole = load<W>(latents.whole + column);
    for (int64_t r = 0; r < rows; r++) {
      const int64_t row = row0 + r;
      I<W> sum;
      std::memcpy(&sum, sums + r * kSide + v * W, sizeof sum);
      const F<W> middle = __builtin_convertvector(sum, F<W>) * splatFrom<W>(group.scale + row) * scale;
      const F<W> error = splatFrom<W>(group.whole + row) * errors + splatFrom<W>(group.error + row) * whole;
      const F<W> upper = middle + (high + error);
      const uint32_t mask = maskAbove<W>(upper, splatFrom<W>(lists.thresholds + row));
      if (__builtin_expect(mask != 0, 0))
        lists.add<W>(row, upper, middle + (load<W>(latents.low + column) - error), column, mask);
    }
  }
}

/** Products of the group with all latents. */
template <class Product>
PIPELINE_INLINE void multiplyGroup(const Product& product, const Pass& pass, const Group& group, const Lists& lists) {
  constexpr int W = Product::kLanes;
  const int64_t steps = pass.form.steps(pass.task.inputs), blocks = Group::blocks(group.rows);
  const int64_t panels = Latents::padded(pass.task.latents) / kSide;
  for (int64_t panel = 0; panel < panels; panel++)
    for (int64_t from = 0; from < steps; from += kInner) {
      const int64_t some = std::min(kInner, steps - from);
      const int32_t* const b = pass.latents.cells + (panel * steps + from) * kStep;
      const int32_t* const start = from == 0 ? pass.latents.start + panel * kSide : nullptr;
      for (int64_t block = 0; block < blocks; block++) {
        int32_t* const sums = group.sums + (steps > kInner ? block * kSide * kSide : 0);
        product.multiply(group.cells + (block * steps + from) * kStep, b, some, sums, start);
        if (from + some == steps) scan<W>(pass, group, lists, sums, block, panel);
      }
    }
}

/** Whether a row has so many more in question than can be wanted that narrower bounds pay. */
template <int W>
PIPELINE_INLINE bool needsNarrowing(const Pass& pass, const Lists& lists, int64_t row) {
  const int64_t count = lists.counts[row];
  if (!pass.task.bounds) return count > pass.task.k + pass.task.k / 2 + 16;
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
    const bool needs = needsNarrowing<W>(pass, lists, row);
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
  for (int64_t row = 0; row < group.rows; row++) {
    if (group.cursors[row] < 0) continue;
    lists.thin<W>(row);
    if (!pass.task.bounds) continue;
    int32_t kept = 0;
    for (int64_t i = row * lists.room, end = i + lists.counts[row]; i < end; i++)
      if (lists.uppers[i] > lists.thresholds[row]) lists.columns[row * lists.room + kept++] = lists.columns[i];
    lists.counts[row] = kept;
  }
}

/** The values that the dense kernel would give, of all that is still in question. */
template <int W>
PIPELINE_INLINE void finishRow(const Pass& pass, const Group& group, const Lists& lists, int64_t row, int64_t first) {
  const ScreenTask& task = pass.task;
  const int32_t* const columns = lists.columns + row * lists.room;
  const int64_t count = lists.counts[row];
  productsInOrder<W>(pass.rowOf(first + row), task.weight, task.inputs, columns, count, group.values);
  for (int64_t i = 0; i < count; i++) {
    const float shifted = group.values[i] + pass.latents.plain[columns[i]];
    group.values[i] = task.scale ? shifted * task.scale[columns[i]] : shifted;
  }
  pass.sink(pass.row(first + row), columns, group.values, count);
}

/** Asks early for what `finishRow` will read. */
inline void foreseeRow(const Pass& pass, const Lists& lists, int64_t row) {
  const int32_t* const columns = lists.columns + row * lists.room;
  for (int64_t i = 0; i < lists.counts[row]; i++)
    for (int64_t d = 0; d < pass.task.inputs; d += 16) __builtin_prefetch(pass.task.weight + columns[i] * pass.task.inputs + d, 0, 2);
}

/** Screens the groups [begin, end). */
template <class Product>
PIPELINE_INLINE void screenGroups(const Product& product, const Pass& pass, int64_t begin, int64_t end) {
  constexpr int W = Product::kLanes;
  const int64_t own = Group::memory(pass.form, pass.groupRows, pass.task.inputs, pass.room);
  float* const memory = scratch(own + Lists::cells(pass.groupRows, pass.room));
  for (int64_t number = begin; number < end; number++) {
    const int64_t first = pass.first + number * pass.groupRows, rows = std::min(pass.groupRows, pass.stop - first);
    const Group group(memory, pass.form, rows, pass.task.inputs);
    const Lists lists(memory + own, rows, pass.task.bounds ? 0 : pass.task.k, pass.room);
    readRows<W>(pass, group, lists, first);
    multiplyGroup(product, pass, group, lists);
    int64_t candidates = 0, summed = 0;
    for (int64_t row = 0; row < rows; row++) {
      lists.thin<W>(row);
      const int64_t place = pass.row(first + row);
      pass.fates[place] = lists.left(row) ? kLeft : lists.keeps(row) ? kDone : kAgain;
      if (pass.reached) pass.reached[place] = group.whole[row] > 0 ? lists.thresholds[row] / group.whole[row] : 0;
      if (pass.fates[place] == kDone) candidates += lists.counts[row];
      else lists.counts[row] = 0;
    }
    narrowGroup<W>(pass, group, lists, first);
    for (int64_t row = 0; row < rows; row++) {
      if (row + 1 < rows) foreseeRow(pass, lists, row + 1);
      if (pass.fates[pass.row(first + row)] != kDone) continue;
      summed += lists.counts[row];
      finishRow<W>(pass, group, lists, row, first);
    }
    *pass.candidates += candidates;
    *pass.summed += summed;
  }
}

}  // namespace screening
}  // namespace pipeline
