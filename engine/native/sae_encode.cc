/**
 * Latents of a TopK SAE without their pre-activations in memory: the k largest of relu(x W + b) in each row, found in the
 * blocks of the product while these are in cache. Products are float32, or of bfloat16 values with float32 sums.
 * Each latent may have a positive factor (`scale`) and another number than its place (`names`), and what is at or below `floor`
 * counts as zero.
 */
#include <algorithm>

#include "bf16_kernel.h"
#include "gemm.h"
#include "op.h"
#include "packed.h"
#include "screen.h"
#include "threads.h"
#include "top.h"

namespace pipeline {
namespace {

struct EncodeArgs {
  const float* x;
  const float* weight;
  const uint16_t* packed;  // bfloat16 weights, when products are in bfloat16
  const float* bias;       // null for none
  const float* scale;      // null for none
  float* slab;             // packed panels of the columns at hand, when products are in float32
  const Candidates& candidates;
  int64_t rows, inputs, latents, groupRows;
  int64_t column, columns;  // the slab's first column, and how many it has
  bool transposed;
};

constexpr int64_t kSlabBytes = 16 << 20;

template <int W>
PIPELINE_INLINE void packPanels(const EncodeArgs& args, int64_t begin, int64_t end) {
  for (int64_t panel = begin; panel < end; panel++)
    packPanel<W>(args.weight, args.inputs, args.latents, args.transposed, args.column + panel * kPanel<W>,
                 args.slab + panel * kPanel<W> * args.inputs);
}
PIPELINE_KERNEL(pack, packPanels, EncodeArgs)

template <int W>
struct Scan {
  const EncodeArgs& args;
  int64_t first;
  static PIPELINE_INLINE F<W> columns(const float* of, int64_t column, int64_t left) {
    return !of ? F<W>{} : left >= W ? load<W>(of + column) : loadPart<W>(of + column, left);
  }
  PIPELINE_INLINE void operator()(const float* c, int64_t row0, int64_t panel) const {
    const int64_t column = args.column + panel * kPanel<W>;
    const int64_t rows = std::min<int64_t>(kTileRows<W>, args.rows - first - row0);
    for (int v = 0; v < 3 && column + v * W < args.latents; v++) {
      const int64_t left = args.latents - column - v * W;
      const F<W> bias = columns(args.bias, column + v * W, left);
      if (!args.scale) {
        for (int64_t row = 0; row < rows; row++)
          args.candidates.take<W>(first + row0 + row, load<W>(c + row * kPanel<W> + v * W) + bias, column + v * W, args.latents);
        continue;
      }
      const F<W> scale = columns(args.scale, column + v * W, left);
      for (int64_t row = 0; row < rows; row++)
        args.candidates.take<W>(first + row0 + row, (load<W>(c + row * kPanel<W> + v * W) + bias) * scale, column + v * W,
                                args.latents);
    }
  }
};

template <int W>
PIPELINE_INLINE void encodeGroups(const EncodeArgs& args, int64_t begin, int64_t end) {
  float* const memory = scratch(groupScratch<W>(args.groupRows, args.inputs));
  const int64_t panels = (args.columns + kPanel<W> - 1) / kPanel<W>;
  for (int64_t group = begin; group < end; group++) {
    const int64_t first = group * args.groupRows, rows = std::min(args.groupRows, args.rows - first);
    multiplyGroup<W>(args.x + first * args.inputs, rows, args.inputs, args.slab, panels, memory, Scan<W>{args, first});
  }
}
PIPELINE_KERNEL(encode, encodeGroups, EncodeArgs)

#if PIPELINE_X86
struct ScanBlock {
  const EncodeArgs& args;
  int64_t first;
  PIPELINE_BF16 void operator()(float* c, int64_t block, int64_t panel) const {
    const int64_t column = panel * kBlock, row0 = first + block * kBlock, rows = std::min(kBlock, args.rows - row0);
    F<16> bias[2] = {}, scale[2] = {};
    for (int half = 0; half < 2; half++) {
      const int64_t left = args.latents - column - half * 16;
      if (left <= 0) continue;
      bias[half] = Scan<16>::columns(args.bias, column + half * 16, left);
      scale[half] = Scan<16>::columns(args.scale, column + half * 16, left);
    }
    if (!args.scale) {
      for (int64_t row = 0; row < rows; row++)
        for (int half = 0; half < 2; half++)
          args.candidates.take<16>(row0 + row, load<16>(blockRow(c, row, half)) + bias[half], column + half * 16, args.latents);
      return;
    }
    for (int64_t row = 0; row < rows; row++)
      for (int half = 0; half < 2; half++)
        args.candidates.take<16>(row0 + row, (load<16>(blockRow(c, row, half)) + bias[half]) * scale[half],
                                 column + half * 16, args.latents);
  }
};

template <class Product>
PIPELINE_BF16 void encodeBlocks(const Product& product, const EncodeArgs& args, int64_t begin, int64_t end) {
  float* const memory = scratch(groupScratch(blocksOf(args.groupRows), blocksOf(args.inputs)));
  for (int64_t group = begin; group < end; group++) {
    const int64_t first = group * args.groupRows, rows = std::min(args.groupRows, args.rows - first);
    multiplyGroup(product, args.x + first * args.inputs, rows, args.inputs, args.packed, blocksOf(args.latents), memory,
                  ScanBlock{args, first});
  }
}
PIPELINE_BF16_KERNEL(encodeRounded, encodeBlocks, EncodeArgs)
#endif

/** Candidates of all rows, by dense products in float32. */
void encodeDense(EncodeArgs args) {
  const int64_t panel = panelColumns(), inputs = std::max<int64_t>(1, args.inputs);
  const int64_t slabPanels = std::max<int64_t>(1, kSlabBytes / (panel * inputs * 4));
  const int64_t columns = std::min(slabPanels * panel, (args.latents + panel - 1) / panel * panel);
  args.slab = sharedScratch(columns * args.inputs);
  args.groupRows = groupRowsFor(args.rows, inputs, threadCount());
  for (; args.column < args.latents; args.column += columns) {
    args.columns = std::min(columns, args.latents - args.column);
    parallel((args.columns + panel - 1) / panel, 1, [&](int64_t begin, int64_t end) { pack(args, begin, end); });
    parallel((args.rows + args.groupRows - 1) / args.groupRows, 1,
             [&](int64_t begin, int64_t end) { encode(args, begin, end); });
  }
}

/** What a call gives: the k latents of each row, by their names. */
struct Chosen {
  float* values;
  int32_t* indices;
  const int32_t* names;  // null for their places
  int64_t k;
  void finish(const Candidates& candidates, int64_t candidate, int64_t row) const {
    int32_t* const own = indices + row * k;
    candidates.finish(candidate, values + row * k, own);
    if (names)
      for (int64_t i = 0; i < k; i++) own[i] = names[own[i]];
  }
};

struct TopKEncode {
  int64_t k;
  bool transposed, rounded;
  Screening screening;
  explicit TopKEncode(Attributes& attributes)
      : k(attributes.integer("k")),
        transposed(attributes.flag("transposed")),
        rounded(attributes.flag("rounded")),
        screening(static_cast<Screening>(attributes.integer("screen"))) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0), weight = call.input(1), bias = call.input(2), packed = call.input(3);
    const Tensor scale = call.input(4), floor = call.input(5), names = call.input(6);
    require(x.rank() == 2 && weight.rank() == 2, "topKEncode: x and the weight must have two axes.");
    const int64_t rows = x.dim(0), inputs = x.dim(1), latents = weight.dim(transposed ? 0 : 1);
    require(weight.dim(transposed ? 1 : 0) == inputs, "topKEncode: x has " + std::to_string(inputs) +
                                                          " columns, but the weight takes another number.");
    require(bias.size() == 0 || bias.size() == latents, "topKEncode: the bias must have an element for each latent.");
    require(scale.size() == 0 || scale.size() == latents, "topKEncode: the scale must have an element for each latent.");
    require(names.size() == 0 || names.size() == latents, "topKEncode: the names must have an element for each latent.");
    require(floor.size() == 1 && floor.floats()[0] >= 0, "topKEncode: the floor must be one number that is not negative.");
    require(k >= 1 && k <= latents,
            "topKEncode: k must be from 1 to " + std::to_string(latents) + ", but it is " + std::to_string(k) + ".");
    const Tensor values = call.floats(0, {rows, k}), indices = call.ints(1, {rows, k}), report = call.floats(2, {4});
    std::fill(report.floats(), report.floats() + 4, 0.f);
    if (rows == 0) return;
    const Chosen chosen{values.floats(), indices.ints(), names.size() > 0 ? names.ints() : nullptr, k};
    const float* const biases = bias.size() ? bias.floats() : nullptr;
    const float* const factors = scale.size() ? scale.floats() : nullptr;
    if (!rounded && transposed && screening != Screening::off) {
      const ScreenTask task{x.floats(), weight.floats(), biases, factors, nullptr, rows, inputs, latents, k, floor.floats()[0]};
      const ScreenReport screened = screenRows(task, chosen);
      tell(screened, report.floats());
      if (screened.left.empty()) return;
      if (static_cast<int64_t>(screened.left.size()) < rows) return finishLeft(task, screened.left, chosen);
    }
    const LargeMemory memory(static_cast<size_t>(Candidates::cells(rows, k)) * 4);
    const Candidates candidates(memory.data(), rows, k, floor.floats()[0]);
    EncodeArgs args{x.floats(), weight.floats(), nullptr, biases, factors, nullptr, candidates, rows, inputs, latents, 0, 0, 0,
                    transposed};
#if PIPELINE_X86
    if (rounded) {
      require(hasBf16(), "topKEncode: this processor has no bfloat16 products.");
      require(packed.size() == 0 || packed.size() == packedValues(inputs, latents) / 2,
              "topKEncode: the packed weight does not belong to this one.");
      Packed own;
      if (packed.size() == 0) own = packWeight(weight.floats(), inputs, latents, transposed);
      args.packed = own ? own->data() : reinterpret_cast<const uint16_t*>(packed.ints());
      args.groupRows = std::min(kGroupBlocks, std::max<int64_t>(1, blocksOf(rows) / (2 * threadCount()))) * kBlock;
      parallel((rows + args.groupRows - 1) / args.groupRows, 1,
               [&](int64_t begin, int64_t end) { encodeRounded(args, begin, end); });
    }
#endif
    if (!args.packed) encodeDense(args);
    parallel(rows, 64, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; row++) chosen.finish(candidates, row, row);
    });
  }

  /** Screens the rows, and writes those that are not left to the dense kernel. */
  ScreenReport screenRows(const ScreenTask& task, const Chosen& chosen) const {
    return screen(task, screening, [&](int64_t row, const int32_t* latents, const float* values, int64_t count) {
      static thread_local std::vector<int32_t> memory;
      memory.resize(Candidates::cells(1, k));
      const Candidates one(memory.data(), 1, k, task.floor);
      for (int64_t i = 0; i < count; i++) one.takeOne(0, values[i], latents[i]);
      chosen.finish(one, 0, row);
    });
  }

  /** The dense kernel on the rows that screening has left. */
  void finishLeft(const ScreenTask& task, const std::vector<int32_t>& left, const Chosen& chosen) const {
    const int64_t count = static_cast<int64_t>(left.size()), inputs = task.inputs;
    const LargeMemory memory(static_cast<size_t>(Candidates::cells(count, k) + count * inputs) * 4);
    float* const x = static_cast<float*>(memory.data());
    for (int64_t i = 0; i < count; i++) std::copy(task.x + left[i] * inputs, task.x + (left[i] + 1) * inputs, x + i * inputs);
    const Candidates candidates(x + count * inputs, count, k, task.floor);
    encodeDense({x, task.weight, nullptr, task.bias, task.scale, nullptr, candidates, count, inputs, task.latents, 0, 0, 0, true});
    parallel(count, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) chosen.finish(candidates, i, left[i]);
    });
  }
};
PIPELINE_OP(TopKEncode, "PipelineTopKEncode", {"k: int", "transposed: bool", "rounded: bool", "screen: int"},
            {"x: float", "weight: float", "bias: float", "packed: int32", "scale: float", "floor: float",
             "names: int32"},
            {"values: float", "indices: int32", "report: float"});

}  // namespace
}  // namespace pipeline
