/**
 * Latents above bounds of their own, without the pre-activations in memory: the entries of x W + b that are larger than
 * bound[latent], row by row in ascending order of latents. They are picked from the blocks of the product while these are in
 * cache. Products are float32, or of bfloat16 values with float32 sums.
 *
 * Where more than `limit` entries are found the op stops early and gives none; `complete` is 0 then. Whether it does depends
 * on the numbers alone.
 */
#include <algorithm>
#include <atomic>

#include "bf16_kernel.h"
#include "gemm.h"
#include "op.h"
#include "packed.h"
#include "sae_found.h"
#include "screen.h"
#include "threads.h"

namespace pipeline {
namespace {

struct ThresholdArgs {
  const float* x;
  const float* weight;
  const uint16_t* packed;  // bfloat16 weights, when products are in bfloat16
  const float* bias;       // null for none
  const float* bounds;
  float* slab;  // packed panels of the columns at hand, when products are in float32
  Found* found;
  std::atomic<int64_t>* total;
  int64_t rows, inputs, latents, groupRows;
  int64_t column, columns;  // the slab's first column, and how many it has
  int64_t limit;
  bool transposed;

  /** Divides the rows into groups, each with what is found in it. */
  void inGroups(int64_t size, std::vector<Found>& all) {
    groupRows = size;
    all.resize((rows + size - 1) / size);
    found = all.data();
  }
};

constexpr int64_t kSlabBytes = 16 << 20;

template <int W>
PIPELINE_INLINE F<W> partOf(const float* values, int64_t column, int64_t left) {
  return left >= W ? load<W>(values + column) : loadPart<W>(values + column, left);
}

template <int W>
PIPELINE_INLINE void packPanels(const ThresholdArgs& args, int64_t begin, int64_t end) {
  for (int64_t panel = begin; panel < end; panel++)
    packPanel<W>(args.weight, args.inputs, args.latents, args.transposed, args.column + panel * kPanel<W>,
                 args.slab + panel * kPanel<W> * args.inputs);
}
PIPELINE_KERNEL(pack, packPanels, ThresholdArgs)

template <int W>
struct Scan {
  const ThresholdArgs& args;
  const Collector& collector;
  mutable int64_t stretch = 0;
  PIPELINE_INLINE void operator()(const float* c, int64_t row0, int64_t panel) const {
    constexpr int64_t kTogether = kColumns / kPanel<W>;
    if (panel / kTogether != stretch) {
      collector.flush();
      stretch = panel / kTogether;
    }
    const int64_t column = args.column + panel * kPanel<W>;
    const int64_t rows = std::min<int64_t>(kTileRows<W>, collector.rows - row0);
    for (int v = 0; v < 3 && column + v * W < args.latents; v++) {
      const int64_t at = column + v * W, left = args.latents - at;
      const F<W> bound = partOf<W>(args.bounds, at, left);
      const F<W> bias = args.bias ? partOf<W>(args.bias, at, left) : F<W>{};
      for (int64_t row = 0; row < rows; row++)
        collector.take<W>(row0 + row, load<W>(c + row * kPanel<W> + v * W) + bias, bound, at, left);
    }
  }
};

template <int W>
PIPELINE_INLINE void encodeGroups(const ThresholdArgs& args, int64_t begin, int64_t end) {
  const int64_t own = groupScratch<W>(args.groupRows, args.inputs);
  float* const memory = scratch(own + Collector::cells(args.groupRows));
  const int64_t panels = (args.columns + kPanel<W> - 1) / kPanel<W>;
  for (int64_t group = begin; group < end && *args.total <= args.limit; group++) {
    const int64_t first = group * args.groupRows, rows = std::min(args.groupRows, args.rows - first);
    const Collector collector(memory + own, rows, args.found[group], *args.total);
    multiplyGroup<W>(args.x + first * args.inputs, rows, args.inputs, args.slab, panels, memory, Scan<W>{args, collector});
    collector.flush();
  }
}
PIPELINE_KERNEL(encode, encodeGroups, ThresholdArgs)

#if PIPELINE_X86
struct ScanBlock {
  const ThresholdArgs& args;
  const Collector& collector;
  mutable int64_t stretch = 0;
  PIPELINE_BF16 void operator()(float* c, int64_t block, int64_t panel) const {
    constexpr int64_t kTogether = kColumns / kBlock;
    if (panel / kTogether != stretch) {
      collector.flush();
      stretch = panel / kTogether;
    }
    const int64_t column = panel * kBlock, row0 = block * kBlock, rows = std::min(kBlock, collector.rows - row0);
    for (int half = 0; half < 2 && column + half * 16 < args.latents; half++) {
      const int64_t at = column + half * 16, left = args.latents - at;
      const F<16> bound = partOf<16>(args.bounds, at, left);
      const F<16> bias = args.bias ? partOf<16>(args.bias, at, left) : F<16>{};
      for (int64_t row = 0; row < rows; row++)
        collector.take<16>(row0 + row, load<16>(blockRow(c, row, half)) + bias, bound, at, left);
    }
  }
};

template <class Product>
PIPELINE_BF16 void encodeBlocks(const Product& product, const ThresholdArgs& args, int64_t begin, int64_t end) {
  const int64_t own = groupScratch(blocksOf(args.groupRows), blocksOf(args.inputs));
  float* const memory = scratch(own + Collector::cells(args.groupRows));
  for (int64_t group = begin; group < end && *args.total <= args.limit; group++) {
    const int64_t first = group * args.groupRows, rows = std::min(args.groupRows, args.rows - first);
    const Collector collector(memory + own, rows, args.found[group], *args.total);
    multiplyGroup(product, args.x + first * args.inputs, rows, args.inputs, args.packed, blocksOf(args.latents), memory,
                  ScanBlock{args, collector});
    collector.flush();
  }
}
PIPELINE_BF16_KERNEL(encodeRounded, encodeBlocks, ThresholdArgs)
#endif

/** All rows by dense products in float32; past the limit the rest is left out. */
void encodeDense(ThresholdArgs& args, std::vector<Found>& found) {
  const int64_t panel = panelColumns(), inputs = std::max<int64_t>(1, args.inputs);
  const int64_t slabPanels = std::max<int64_t>(1, kSlabBytes / (panel * inputs * 4));
  const int64_t columns = std::min(slabPanels * panel, (args.latents + panel - 1) / panel * panel);
  args.slab = sharedScratch(columns * args.inputs);
  args.inGroups(groupRowsFor(args.rows, inputs, threadCount()), found);
  for (; args.column < args.latents && *args.total <= args.limit; args.column += columns) {
    args.columns = std::min(columns, args.latents - args.column);
    parallel((args.columns + panel - 1) / panel, 1, [&](int64_t begin, int64_t end) { pack(args, begin, end); });
    parallel(static_cast<int64_t>(found.size()), 1, [&](int64_t begin, int64_t end) { encode(args, begin, end); });
  }
}

/** The entries of one row. */
struct RowEntries {
  std::vector<int32_t> latents;
  std::vector<float> values;
};

struct ThresholdEncode {
  bool transposed, rounded;
  Screening screening;
  explicit ThresholdEncode(Attributes& attributes)
      : transposed(attributes.flag("transposed")),
        rounded(attributes.flag("rounded")),
        screening(static_cast<Screening>(attributes.integer("screen"))) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0), weight = call.input(1), bias = call.input(2), bounds = call.input(3);
    const Tensor packed = call.input(4), limit = call.input(5);
    require(x.rank() == 2 && weight.rank() == 2, "thresholdEncode: x and the weight must have two axes.");
    const int64_t rows = x.dim(0), inputs = x.dim(1), latents = weight.dim(transposed ? 0 : 1);
    require(weight.dim(transposed ? 1 : 0) == inputs, "thresholdEncode: x has " + std::to_string(inputs) +
                                                          " columns, but the weight takes another number.");
    require(bias.size() == 0 || bias.size() == latents, "thresholdEncode: the bias must have an element for each latent.");
    require(bounds.size() == latents, "thresholdEncode: there must be a bound for each latent.");
    require(limit.size() == 1 && limit.ints()[0] >= 0, "thresholdEncode: the limit must be one number, 0 or more.");
    const Tensor report = call.floats(4, {4});
    std::fill(report.floats(), report.floats() + 4, 0.f);
    std::atomic<int64_t> total{0};
    ThresholdArgs args{x.floats(), weight.floats(), nullptr, bias.size() ? bias.floats() : nullptr, bounds.floats(), nullptr,
                       nullptr, &total, rows, inputs, latents, 0, 0, 0, limit.ints()[0], transposed};
    if (!rounded && transposed && screening != Screening::off) {
      const ScreenTask task{args.x, args.weight, args.bias, nullptr, args.bounds, rows, inputs, latents, 0, 0};
      std::vector<RowEntries> entries(rows);
      const ScreenReport screened = screenRows(task, entries);
      tell(screened, report.floats());
      if (static_cast<int64_t>(screened.left.size()) < rows) {
        const bool complete = readLeft(args, screened.left, entries);
        return give(call, args, entries, complete);
      }
    }
    std::vector<Found> found;
#if PIPELINE_X86
    if (rounded) {
      require(hasBf16(), "thresholdEncode: this processor has no bfloat16 products.");
      require(packed.size() == 0 || packed.size() == packedValues(inputs, latents) / 2,
              "thresholdEncode: the packed weight does not belong to this one.");
      Packed own;
      if (packed.size() == 0) own = packWeight(weight.floats(), inputs, latents, transposed);
      args.packed = own ? own->data() : reinterpret_cast<const uint16_t*>(packed.ints());
      args.inGroups(std::min(kGroupBlocks, std::max<int64_t>(1, blocksOf(rows) / (2 * threadCount()))) * kBlock, found);
      parallel(static_cast<int64_t>(found.size()), 1,
               [&](int64_t begin, int64_t end) { encodeRounded(args, begin, end); });
    }
#endif
    if (!args.packed && rows > 0) encodeDense(args, found);
    const bool complete = total <= args.limit;
    const int64_t count = complete ? total.load() : 0;
    const Tensor starts = call.ints(0, {rows + 1}), values = call.floats(1, {count}), indices = call.ints(2, {count});
    call.ints(3, {}).ints()[0] = complete;
    std::fill(starts.ints(), starts.ints() + rows + 1, 0);
    if (complete && count > 0) layOut(found, rows, args.groupRows, starts.ints(), values.floats(), indices.ints());
  }

  /** Screens the rows, and keeps the entries of those that are not left to the dense kernel. */
  ScreenReport screenRows(const ScreenTask& task, std::vector<RowEntries>& entries) const {
    return screen(task, screening, [&](int64_t row, const int32_t* latents, const float* values, int64_t count) {
      RowEntries& own = entries[row];
      for (int64_t i = 0; i < count; i++) {
        if (!(values[i] > task.bounds[latents[i]])) continue;
        own.latents.push_back(latents[i]);
        own.values.push_back(values[i]);
      }
    });
  }

  /** The dense kernel on the rows that screening has left; whether all entries keep to the limit. */
  static bool readLeft(const ThresholdArgs& args, const std::vector<int32_t>& left, std::vector<RowEntries>& entries) {
    const int64_t count = static_cast<int64_t>(left.size()), inputs = args.inputs;
    for (const RowEntries& own : entries) *args.total += static_cast<int64_t>(own.values.size());
    if (count == 0 || *args.total > args.limit) return *args.total <= args.limit;
    const LargeMemory memory(static_cast<size_t>(count * inputs) * 4);
    float* const x = static_cast<float*>(memory.data());
    for (int64_t i = 0; i < count; i++) std::copy(args.x + left[i] * inputs, args.x + (left[i] + 1) * inputs, x + i * inputs);
    const int64_t before = *args.total;
    ThresholdArgs rest = args;
    rest.x = x;
    rest.rows = count;
    std::vector<Found> found;
    encodeDense(rest, found);
    if (*args.total > args.limit) return false;
    std::vector<int32_t> starts(count + 1), latents(*args.total - before);
    std::vector<float> values(latents.size());
    layOut(found, count, rest.groupRows, starts.data(), values.data(), latents.data());
    for (int64_t i = 0; i < count; i++) {
      entries[left[i]].latents.assign(latents.begin() + starts[i], latents.begin() + starts[i + 1]);
      entries[left[i]].values.assign(values.begin() + starts[i], values.begin() + starts[i + 1]);
    }
    return true;
  }

  /** Gives the entries of all rows, or none where they are not complete. */
  static void give(const Call& call, const ThresholdArgs& args, const std::vector<RowEntries>& entries, bool complete) {
    const int64_t count = complete ? args.total->load() : 0;
    const Tensor starts = call.ints(0, {args.rows + 1}), values = call.floats(1, {count}), indices = call.ints(2, {count});
    call.ints(3, {}).ints()[0] = complete;
    std::fill(starts.ints(), starts.ints() + args.rows + 1, 0);
    if (!complete) return;
    int32_t* const begins = starts.ints();
    for (int64_t row = 0; row < args.rows; row++)
      begins[row + 1] = begins[row] + static_cast<int32_t>(entries[row].values.size());
    parallel(args.rows, 64, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; row++) {
        std::copy(entries[row].values.begin(), entries[row].values.end(), values.floats() + begins[row]);
        std::copy(entries[row].latents.begin(), entries[row].latents.end(), indices.ints() + begins[row]);
      }
    });
  }
};
PIPELINE_OP(ThresholdEncode, "PipelineThresholdEncode", {"transposed: bool", "rounded: bool", "screen: int"},
            {"x: float", "weight: float", "bias: float", "bounds: float", "packed: int32", "limit: int32"},
            {"starts: int32", "values: float", "indices: int32", "complete: int32", "report: float"});

}  // namespace
}  // namespace pipeline
