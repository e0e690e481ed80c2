/**
 * A linear layer in float32 by thirds (thirds.h). Weights are packed in each call, a slab of columns at a time; where the rows are
 * few, threads share the columns and pack them in cache, a stretch of the depth at a time. A sum is made of the same products in the
 * same order either way, so that a row's result does not depend on how many come with it. Rows and weights that thirds cannot hold are
 * multiplied in float32 (linear_float.cc).
 */
#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "linear.h"
#include "packed.h"
#include "thirds_pack.h"
#include "threads.h"

#if PIPELINE_X86

namespace pipeline {
namespace {

// What a core works on at a time, found by trial, as in bf16.h.
constexpr int64_t kInnerSteps = 2;
constexpr int64_t kStretchSteps = 24;
constexpr int64_t kWaiting = 16;           // column panels, where there are several stretches
constexpr int64_t kMostBlocks = 8;         // of rows
constexpr int64_t kFewBlocks = 8;          // of rows, up to which threads share the columns
constexpr int64_t kTogether = 4;           // panels that are packed together
constexpr int64_t kSlabBytes = 16 << 20;   // packed weights at a time, but as many panels as make up for packing the rows again
constexpr int64_t kLeastPanels = 32;

// Fewer rows wait for memory, where thirds are more to make and to write; smaller layers are mostly edges of tiles.
constexpr int64_t kLeastRows = 64, kLeastSize = 64;

struct ThirdsArgs {
  const LinearLayer& layer;
  ThirdsWeight weight;
  uint16_t* slab;         // packed panels of the columns at hand, or packed rows where these are few
  int64_t groupBlocks;    // blocks of rows of a group, or of all rows where these are few
  int64_t panel, panels;  // the slab's first panel, and how many it has; of a piece where rows are few
  uint8_t* oddRows;       // of each row, whether it cannot be multiplied so
  std::atomic<bool>* oddWeight;
};

/** Vectors of `largerBits` for panels that are packed together. */
struct Seen {
  __m512i bits[kTogether * 32];
  PIPELINE_BF16 PIPELINE_INLINE Seen() {
    for (__m512i& each : bits) each = _mm512_setzero_si512();
  }
};

/** Packs pieces of panels into the slab. */
PIPELINE_BF16 void packSlab(const ThirdsArgs& args, int64_t begin, int64_t end) {
  const int64_t steps = blocksOf(args.layer.inputs), apart = steps * kThirdsStep;
  for (int64_t piece = begin; piece < end; piece++) {
    const int64_t first = piece * kTogether, count = std::min(kTogether, args.panels - first);
    Seen seen;
    packPanels(args.weight, args.panel + first, count, 0, steps, args.slab + first * apart, apart, seen.bits);
    if (oddPanels(args.weight, 2 * count, seen.bits)) args.oddWeight->store(true, std::memory_order_relaxed);
  }
}

/** Packs blocks of rows and marks the odd ones. */
PIPELINE_BF16 void packBlocks(const ThirdsArgs& args, int64_t first, int64_t count, uint16_t* to) {
  const LinearLayer& layer = args.layer;
  for (int64_t block = first; block < first + count; block++, to += blocksOf(layer.inputs) * kThirdsStep) {
    const int64_t row = block * kBlock, rows = std::min(kBlock, layer.rows - row);
    const uint32_t odd = packRowsAsThirds(layer.x + row * layer.inputs, layer.inputs, rows, layer.inputs, to);
    for (int64_t i = 0; i < rows; i++) args.oddRows[row + i] = odd >> i & 1;
  }
}

/** c (+)= the product of a block of rows [first row of the layer, …) with a panel, over `steps` steps. */
PIPELINE_BF16 PIPELINE_INLINE void multiplyBlock(const LinearLayer& layer, int64_t row, const uint16_t* a, const uint16_t* b, int64_t steps,
                                                 float* c, bool first) {
  if (layer.rows - row > kBlock / 2) multiplyThirdsBlock<true>(a, b, steps, c, first);
  else multiplyThirdsBlock<false>(a, b, steps, c, first);
}

/** Groups of rows with the slab. */
PIPELINE_BF16 void multiplyGroups(const ThirdsArgs& args, int64_t begin, int64_t end) {
  const LinearLayer& layer = args.layer;
  const int64_t steps = blocksOf(layer.inputs), stretches = (steps + kStretchSteps - 1) / kStretchSteps;
  const int64_t waiting = stretches > 1 ? kWaiting : 1, most = args.groupBlocks;
  float* const c = scratch(waiting * most * kBlockFloats + most * steps * kThirdsStep / 2);
  uint16_t* const a = reinterpret_cast<uint16_t*>(c + waiting * most * kBlockFloats);
  const Tiles tiles;
  for (int64_t group = begin; group < end; group++) {
    const int64_t first = group * most, blocks = std::min(most, blocksOf(layer.rows) - first);
    packBlocks(args, first, blocks, a);
    for (int64_t panel0 = 0; panel0 < args.panels; panel0 += waiting)
      for (int64_t stretch = 0; stretch < stretches; stretch++) {
        const int64_t start = steps * stretch / stretches, stop = steps * (stretch + 1) / stretches;
        for (int64_t panel = panel0; panel < std::min(panel0 + waiting, args.panels); panel++)
          for (int64_t from = start; from < stop; from += kInnerSteps) {
            const int64_t to = std::min(from + kInnerSteps, stop);
            const uint16_t* const b = args.slab + (panel * steps + from) * kThirdsStep;
            // The part of B that comes next is asked for a share at a time: it comes from far.
            const char* const next = reinterpret_cast<const char*>(to < stop ? b + (to - from) * kThirdsStep
                                                                             : args.slab + ((panel + 1) * steps + start) * kThirdsStep);
            const int64_t share = kInnerSteps * kThirdsStep * 2 / blocks;
            for (int64_t block = 0; block < blocks; block++) {
              for (int64_t at = block * share; at < (block + 1) * share; at += 64) __builtin_prefetch(next + at, 0, 2);
              float* const sums = c + ((panel - panel0) * blocks + block) * kBlockFloats;
              const int64_t row = (first + block) * kBlock;
              multiplyBlock(layer, row, a + (block * steps + from) * kThirdsStep, b, to - from, sums, from == 0);
              if (to == steps) finishBlock(layer, sums, row, (args.panel + panel) * kBlock);
            }
          }
      }
  }
  _mm_sfence();  // the streamed stores, before other threads are told that this is done
}

/** All rows, which lie packed in the slab, with the panels of some pieces. */
PIPELINE_BF16 void multiplyPieces(const ThirdsArgs& args, int64_t begin, int64_t end) {
  const LinearLayer& layer = args.layer;
  const int64_t steps = blocksOf(layer.inputs), blocks = args.groupBlocks, apart = kStretchSteps * kThirdsStep;
  float* const c = scratch(kTogether * (blocks * kBlockFloats + apart / 2));
  uint16_t* const b = reinterpret_cast<uint16_t*>(c + kTogether * blocks * kBlockFloats);
  const Tiles tiles;
  for (int64_t piece = begin; piece < end; piece++) {
    const int64_t first = piece * args.panels, count = std::min(args.panels, blocksOf(layer.outputs) - first);
    Seen seen;
    for (int64_t from = 0; from < steps; from += kStretchSteps) {
      const int64_t to = std::min(from + kStretchSteps, steps);
      packPanels(args.weight, first, count, from, to, b, apart, seen.bits);
      for (int64_t panel = 0; panel < count; panel++)
        for (int64_t block = 0; block < blocks; block++) {
          float* const sums = c + (panel * blocks + block) * kBlockFloats;
          multiplyBlock(layer, block * kBlock, args.slab + (block * steps + from) * kThirdsStep, b + panel * apart, to - from, sums,
                        from == 0);
          if (to == steps) finishBlock(layer, sums, block * kBlock, (first + panel) * kBlock);
        }
    }
    if (oddPanels(args.weight, 2 * count, seen.bits)) args.oddWeight->store(true, std::memory_order_relaxed);
  }
  _mm_sfence();
}

/** Panels of a piece, so that each thread has some. */
int64_t sharedPanels(int64_t panels) { return std::max<int64_t>(1, std::min(kTogether, panels / (2 * threadCount()))); }

void multiplyFewRows(ThirdsArgs& args) {
  const int64_t values = blocksOf(args.layer.inputs) * kThirdsStep, panels = blocksOf(args.layer.outputs);
  args.groupBlocks = blocksOf(args.layer.rows);
  args.panels = sharedPanels(panels);
  args.slab = reinterpret_cast<uint16_t*>(sharedScratch(args.groupBlocks * values / 2));
  parallel(args.groupBlocks, 1,
           [&](int64_t begin, int64_t end) { packBlocks(args, begin, end - begin, args.slab + begin * values); });
  parallel((panels + args.panels - 1) / args.panels, 1, [&](int64_t begin, int64_t end) { multiplyPieces(args, begin, end); });
}

void multiplyManyRows(ThirdsArgs& args) {
  const int64_t values = blocksOf(args.layer.inputs) * kThirdsStep, panels = blocksOf(args.layer.outputs);
  const int64_t most = std::min(panels, std::max(kLeastPanels, kSlabBytes / (values * 2)));
  const int64_t blocks = blocksOf(args.layer.rows);
  args.groupBlocks = std::min(kMostBlocks, std::max<int64_t>(1, blocks / (2 * threadCount())));
  args.slab = reinterpret_cast<uint16_t*>(sharedScratch(most * values / 2));
  for (; args.panel < panels; args.panel += most) {
    args.panels = std::min(most, panels - args.panel);
    parallel((args.panels + kTogether - 1) / kTogether, 1, [&](int64_t begin, int64_t end) { packSlab(args, begin, end); });
    parallel((blocks + args.groupBlocks - 1) / args.groupBlocks, 1,
             [&](int64_t begin, int64_t end) { multiplyGroups(args, begin, end); });
  }
}

/** Some rows of a layer alone: they are gathered, and what comes out is put in their places. */
void multiplyRows(const LinearLayer& layer, const std::vector<int64_t>& rows) {
  const int64_t count = static_cast<int64_t>(rows.size()), outputs = layer.outputs;
  LargeMemory x(static_cast<size_t>(count * layer.inputs) * 4), y(static_cast<size_t>(count * outputs) * 4);
  const std::unique_ptr<LargeMemory> residual = layer.residual ? std::make_unique<LargeMemory>(y.bytes()) : nullptr;
  LinearLayer own = layer;
  float* const from = static_cast<float*>(x.data());
  float* const added = residual ? static_cast<float*>(residual->data()) : nullptr;
  own.x = from;
  own.y = static_cast<float*>(y.data());
  own.residual = added;
  own.rows = count;
  for (int64_t i = 0; i < count; i++) {
    std::copy_n(layer.x + rows[i] * layer.inputs, layer.inputs, from + i * layer.inputs);
    if (added) std::copy_n(layer.residual + rows[i] * outputs, outputs, added + i * outputs);
  }
  multiplyFloats(own);
  for (int64_t i = 0; i < count; i++) std::copy_n(own.y + i * outputs, outputs, layer.y + rows[i] * outputs);
}

}  // namespace

bool multipliesThirds(const LinearLayer& layer) {
  return isa() >= Isa::amx && layer.rows >= kLeastRows && layer.inputs >= kLeastSize && layer.outputs >= kLeastSize;
}

void multiplyThirds(const LinearLayer& layer) {
  std::vector<uint8_t> oddRows(static_cast<size_t>(layer.rows));
  std::atomic<bool> oddWeight{false};
  ThirdsArgs args{layer, {layer.weight, layer.inputs, layer.outputs, layer.transposed}, nullptr, 0, 0, 0, oddRows.data(), &oddWeight};
  if (blocksOf(layer.rows) <= kFewBlocks) multiplyFewRows(args);
  else multiplyManyRows(args);
  if (oddWeight) return multiplyFloats(layer);
  std::vector<int64_t> odd;
  for (int64_t row = 0; row < layer.rows; row++)
    if (oddRows[row]) odd.push_back(row);
  if (!odd.empty()) multiplyRows(layer, odd);
}

}  // namespace pipeline
#endif
