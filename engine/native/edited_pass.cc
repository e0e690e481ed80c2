/** Many edits of one document through the blocks behind a residual, in pieces of a few edits (edited_rows.cc). */
#include <algorithm>

#include "attention_rows.h"
#include "gemm.h"
#include "packed.h"
#include "pass_blocks.h"
#include "threads.h"

namespace pipeline {
namespace {

struct LayArgs {
  const float* kv;  // [blocks, positions, 2 · keys]
  Shape shape;
  float *keys, *values;
};

/** Lays out keys and values of heads as attention reads them. */
template <int W>
PIPELINE_INLINE void layHeads(const LayArgs& args, int64_t begin, int64_t end) {
  const Shape& s = args.shape;
  const int64_t stride = keyStride<W>(s.positions), padded = paddedHead<W>(s.headDim), wide = 2 * s.keys();
  for (int64_t at = begin; at < end; at++) {
    const float* const k = args.kv + at / s.kvHeads * s.positions * wide + at % s.kvHeads * s.headDim;
    turnRows<4>(k, wide, s.positions, (s.positions + 3) / 4 * 4, s.headDim, args.keys + at * s.headDim * stride, stride);
    for (int64_t position = 0; position < s.positions; position++)
      copyRow<W>(k + s.keys() + position * wide, nullptr, 1, s.headDim, true, args.values + (at * stride + position) * padded,
                 padded);
  }
}
PIPELINE_KERNEL(layAll, layHeads, LayArgs)

int64_t whole(int64_t value, int64_t of) { return (value + of - 1) / of * of; }

/** Floats that a piece has of its rows, so that they stay in the second cache beside weights, and its least and most rows. */
constexpr int64_t kPieceFloats = 1 << 17, kLeastRows = 32, kMostRows = 256;

struct EditedPass : Blocks {
  using Blocks::Blocks;

  void compute(const Call& call) const {
    const Tensor bank = call.input(0), changes = call.input(1), entries = call.input(2), starts = call.input(3);
    const Tensor reads = call.input(4), cleanQueries = call.input(5), kv = call.input(6), last = call.input(7);
    Held held;
    read(call, 8, held);
    const Shape& s = held.shape;
    const int64_t edits = starts.size() / 2 - 1;
    require(bank.rank() == 2 && bank.dim(1) == s.width, "edited pass: directions must be as wide as the residual.");
    require(entries.size() == 2 * changes.size(), "edited pass: there must be a position and a direction for each change.");
    require(cleanQueries.size() == s.positions * s.queries() && last.size() == s.positions * s.width &&
                kv.size() == count * s.positions * 2 * s.keys(),
            "edited pass: what is kept of the document is not of these sizes.");
    require(edits >= 0 && starts.size() % 2 == 0, "edited pass: edits must have where their entries and reads start.");
    const Tensor y = call.floats(0, {reads.size(), s.width});
    PassArgs args = pass(held);
    args.entries = entries.ints();
    args.starts = starts.ints();
    args.readStarts = starts.ints() + edits + 1;
    args.reads = reads.ints();
    args.changes = changes.floats();
    args.bank = bank.floats();
    args.y = y.floats();
    args.cleanQueries = cleanQueries.floats();
    args.cleanLast = last.floats();
    check(args, edits, entries.size() / 2, reads.size(), bank.dim(0));
    if (reads.size() == 0) return;

    const int64_t each = 3 * s.width + s.projected() + s.hidden;
    const int64_t most = std::min(kMostRows, std::max(kLeastRows, kPieceFloats / each));
    std::vector<int64_t> pieces{0};
    int64_t rows = 0;
    for (int64_t edit = 0; edit < edits; edit++) {
      const int64_t own = args.endRow(edit) - args.firstRow(edit);
      if (rows > 0 && rows + own > most) {
        pieces.push_back(edit);
        rows = 0;
      }
      rows += own;
      args.mostRows = std::max(args.mostRows, rows);
    }
    pieces.push_back(edits);
    args.pieces = pieces.data();

    const int64_t lanes = panelColumns() / 3, stride = whole(s.positions + 4, lanes), padded = whole(s.headDim, lanes);
    const int64_t heads = count * s.kvHeads;
    float* const memory = sharedScratch(held.packed + heads * stride * (s.headDim + padded));
    pack(held, memory);
    const LayArgs lay{kv.floats(), s, memory + held.packed, memory + held.packed + heads * stride * s.headDim};
    parallel(heads, 1, [&](int64_t begin, int64_t end) { layAll(lay, begin, end); });
    args.cleanKeys = lay.keys;
    args.cleanValues = lay.values;
    parallel(static_cast<int64_t>(pieces.size()) - 1, 1, [&](int64_t begin, int64_t end) { passPieces(args, begin, end); });
  }

  /** Refuses what would be read or written out of place. */
  void check(const PassArgs& args, int64_t edits, int64_t entries, int64_t reads, int64_t directions) const {
    const int64_t positions = args.shape.positions;
    require(args.starts[0] == 0 && args.starts[edits] == entries && args.readStarts[0] == 0 && args.readStarts[edits] == reads,
            "edited pass: entries and reads must be divided among the edits.");
    for (int64_t edit = 0; edit < edits; edit++) {
      require(args.starts[edit] < args.starts[edit + 1] && args.readStarts[edit] <= args.readStarts[edit + 1],
              "edited pass: each edit must have an entry.");
      for (int64_t i = args.starts[edit]; i < args.starts[edit + 1]; i++) {
        const int64_t position = args.entries[2 * i], direction = args.entries[2 * i + 1];
        require(position >= (i > args.starts[edit] ? args.entries[2 * i - 2] : 0) && position < positions && direction >= 0 &&
                    direction < directions,
                "edited pass: entries must ascend by position, within the document, and name directions of the bank.");
      }
      for (int64_t i = args.readStarts[edit]; i < args.readStarts[edit + 1]; i++)
        require(args.reads[i] >= (i > args.readStarts[edit] ? args.reads[i - 1] + 1 : args.firstRow(edit)) &&
                    args.reads[i] < positions,
                "edited pass: positions to read must ascend, from the first edited one on.");
    }
  }
};
PIPELINE_OP(EditedPass, "PipelineEditedPass", {PIPELINE_BLOCKS},
            {"bank: float", "changes: float", "entries: int32", "starts: int32", "reads: int32", "queries: float", "kv: float",
             "last: float", "x: float", "cosines: float", "sines: float", "scales: float", "weights: N * float"},
            {"y: float"});

}  // namespace
}  // namespace pipeline
