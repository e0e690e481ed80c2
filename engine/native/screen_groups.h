/** A group of rows: their rounding, and the product with all latents, of which lists keep what is in question. */
#pragma once
#include <atomic>

#include "screen_latents.h"
#include "screen_lists.h"

namespace pipeline {
namespace screening {

/** Steps of the depth in which a block's operands stay in the first cache. */
constexpr int64_t kInner = 12;
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
  int64_t knownRoom;
  int32_t *knownCounts, *known;  // [rows], [rows][knownRoom]: latents whose values are exact
  float* knownValues;            // [rows][knownRoom]
  int32_t* merged;               // room for all that a row has, known and in question, and so has `values`
  float* values;                 // and for as many as it has cells, and 64 more each

  static int64_t blocks(int64_t rows) { return (rows + kSide - 1) / kSide; }
  /** 4-byte cells of memory. */
  /** Exact values of a few more than k latents show what else can be among the k. */
  static int64_t knownRoomFor(int64_t k) { return k > 0 ? k + 16 : 0; }
  static int64_t memory(int64_t rows, int64_t inputs, int64_t k, int64_t room) {
    const int64_t sums = stepsOf(inputs) > kInner ? blocks(rows) : 1;
    return blocks(rows) * stepsOf(inputs) * kStep + sums * kSide * kSide + rows * (6 + 2 * knownRoomFor(k)) +
           2 * (room + knownRoomFor(k)) + stepsOf(inputs) * kCells + 3 * 64;
  }
  Group(float* memory, int64_t rows, int64_t inputs, int64_t k, int64_t room) : rows(rows), knownRoom(knownRoomFor(k)) {
    const int64_t steps = stepsOf(inputs);
    cells = reinterpret_cast<int32_t*>(memory);
    sums = cells + blocks(rows) * steps * kStep;
    scale = reinterpret_cast<float*>(sums + (steps > kInner ? blocks(rows) : 1) * kSide * kSide);
    whole = scale + rows;
    error = whole + rows;
    narrow = error + rows;
    cursors = reinterpret_cast<int32_t*>(narrow + rows);
    knownCounts = cursors + rows;
    known = knownCounts + rows;
    knownValues = reinterpret_cast<float*>(known + rows * knownRoom);
    merged = reinterpret_cast<int32_t*>(knownValues + rows * knownRoom + 64);
    values = reinterpret_cast<float*>(merged + room + knownRoom + 64);
  }
};

/** Rounds a group's rows, and begins their lists. */
template <int W>
PIPELINE_INLINE void readRows(const Pass& pass, const Group& group, const Lists& lists, int64_t first) {
  const int64_t inputs = pass.task.inputs, steps = stepsOf(inputs);
  // What float32 adds: the dense sum's roundings, those of its bias and factor, and those of the bounds themselves.
  const double n = static_cast<double>(inputs), one = (n + 64) * kUnit / (1 - (n + 64) * kUnit);
  int32_t* const row = reinterpret_cast<int32_t*>(group.values);
  for (int64_t r = 0; r < Group::blocks(group.rows) * kSide; r++) {
    int32_t* const to = group.cells + r / kSide * steps * kStep + r % kSide * kCells;
    if (r >= group.rows) {
      for (int64_t step = 0; step < steps; step++) std::memset(to + step * kStep, 0, kCells * 4);
      continue;
    }
    const Norms norms = roundRow<W>(pass.form.rows, pass.rowOf(first + r), pass.mean, inputs, reinterpret_cast<int8_t*>(row));
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

/** The largest sums by which any latent of a block is out, of W rows. */
template <int W>
PIPELINE_INLINE I<W> limitsOf(F<W> thresholds, F<W> scale, F<W> whole, F<W> error, const Tops& tops) {
  const F<W> bound = whole * tops.error + error * tops.whole;
  // A hundred times what these few operations may be off by.
  const F<W> off = (magnitude<W>(thresholds) + std::fabs(tops.high) + bound) * 1e-5f;
  const F<W> room = thresholds - tops.high - bound - off;
  const F<W> most = smaller<W>(room / (scale * tops.scale), splat<W>(2.147e9f));  // more than any sum
  const I<W> limits = room > 0.f ? __builtin_convertvector(most, I<W>) : I<W>{} + INT32_MIN;
  return thresholds == HUGE_VALF ? I<W>{} + INT32_MAX : limits;
}

/** Puts what a block of sums leaves in question into the rows' lists. */
template <int W>
PIPELINE_INLINE void scan(const Pass& pass, const Group& group, const Lists& lists, const int32_t* sums, int64_t block,
                          int64_t panel) {
  const int64_t row0 = block * kSide, rows = std::min(kSide, group.rows - row0);
  const Latents& latents = pass.latents;
  int32_t limits[kSide], hits[kSide * kSide + 2];
  for (int64_t row = 0; row < rows; row += W) {
    const auto part = [&](const float* of) { return rows - row >= W ? load<W>(of + row0 + row) : loadPart<W>(of + row0 + row, rows - row); };
    const I<W> own = limitsOf<W>(part(lists.thresholds), part(group.scale), part(group.whole), part(group.error), latents.tops[panel]);
    std::memcpy(limits + row, &own, sizeof own);
  }
  int64_t count = 0;
  for (int64_t row = 0; row < rows; row++) {
    const I<W> limit = I<W>{} + limits[row];
    uint32_t above = 0;
#pragma GCC unroll 8
    for (int64_t v = 0; v < kSide / W; v++) {
      I<W> some;
      std::memcpy(&some, sums + row * kSide + v * W, sizeof some);
      above |= maskAbove<W>(some, limit) << v * W;
    }
    // Most rows have none, one or two, in an order that no processor foresees: these are written without a branch.
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
      hits[count] = static_cast<int32_t>(row * kSide + __builtin_ctz(above | 1u << 31));
      count += above != 0;
      above &= above - 1;
    }
    for (; above; above &= above - 1) hits[count++] = static_cast<int32_t>(row * kSide + __builtin_ctz(above));
  }
  for (int64_t i = 0; i < count; i++) {
    const int64_t row = row0 + hits[i] / kSide, column = panel * kSide + hits[i] % kSide;
    const float middle = static_cast<float>(sums[hits[i]]) * group.scale[row] * latents.scale[column];
    const float error = group.whole[row] * latents.error[column] + group.error[row] * latents.whole[column];
    lists.add<W>(row, middle + (latents.high[column] + error), middle + (latents.low[column] - error), column);
  }
}

/** Products of the group with all latents. */
template <class Product>
PIPELINE_INLINE void multiplyGroup(const Product& product, const Pass& pass, const Group& group, const Lists& lists) {
  constexpr int W = Product::kLanes;
  const int64_t steps = stepsOf(pass.task.inputs), blocks = Group::blocks(group.rows);
  const int64_t panels = Latents::padded(pass.task.latents) / kSide;
  for (int64_t panel = 0; panel < panels; panel++)
    for (int64_t from = 0; from < steps; from += kInner) {
      const int64_t some = std::min(kInner, steps - from);
      const int32_t* const b = pass.latents.cells + (panel * steps + from) * kStep;
      const int32_t* const start = pass.latents.start + panel * pass.latents.starts + (pass.form.halves ? from * kSide : 0);
      for (int64_t block = 0; block < blocks; block++) {
        int32_t* const sums = group.sums + (steps > kInner ? block * kSide * kSide : 0);
        product.multiply(group.cells + (block * steps + from) * kStep, b, some, sums, start, from == 0);
        if (from + some == steps) scan<W>(pass, group, lists, sums, block, panel);
      }
    }
}

}  // namespace screening
}  // namespace pipeline
