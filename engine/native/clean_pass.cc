/** One document through the blocks behind a residual, as it is: every row is computed, and what passes of its edits need is kept. */
#include <cstring>

#include "packed.h"
#include "pass_blocks.h"

namespace pipeline {
namespace {

/** The document as it is: what passes of its edits start from. */
struct CleanPass : Blocks {
  using Blocks::Blocks;

  void compute(const Call& call) const {
    Held held;
    read(call, 0, held);
    const Shape& s = held.shape;
    const Tensor queries = call.floats(0, {s.positions, s.queries()});
    const Tensor kv = call.floats(1, {count, s.positions, 2 * s.keys()});
    const Tensor last = call.floats(2, {s.positions, s.width});
    if (s.positions == 0) return;
    if (count == 0) std::memset(queries.floats(), 0, static_cast<size_t>(queries.size()) * 4);
    pack(held, sharedScratch(held.packed));
    std::vector<int32_t> reads(static_cast<size_t>(s.positions));
    for (int64_t i = 0; i < s.positions; i++) reads[i] = static_cast<int32_t>(i);
    const int32_t starts[] = {0, 0}, readStarts[] = {0, static_cast<int32_t>(s.positions)};
    const int64_t pieces[] = {0, 1};
    PassArgs args = pass(held);
    args.starts = starts;
    args.reads = reads.data();
    args.readStarts = readStarts;
    args.pieces = pieces;
    args.mostRows = s.positions;
    args.y = last.floats();
    args.keptQueries = queries.floats();
    args.keptKv = kv.floats();
    passPieces(args, 0, 1);
  }
};
PIPELINE_OP(CleanPass, "PipelineCleanPass", {PIPELINE_BLOCKS},
            {"x: float", "cosines: float", "sines: float", "scales: float", "weights: N * float"},
            {"queries: float", "kv: float", "last: float"});

}  // namespace
}  // namespace pipeline
