/**
 * Causal attention of every head, straight from rows of queries, keys and values:
 *
 *   scores  = cap · tanh(scale · (q + bq) (k + bk)ᵀ / cap)      (no cap where cap is 0)
 *   pattern = softmax over keys j with i - window < j ≤ i       (no window where window is 0)
 *   z       = pattern (v + bv)                                  [batch, position, heads · headDim]
 *
 * Query head h reads key/value head ⌊h / (heads / kvHeads)⌋. q, k and v are [batch, position, n] and may be one packed
 * tensor: the offsets say where in a row, and in its bias [n], the heads begin. One piece of work is a block of queries of one head: its keys are
 * laid out by dimension, so that scores of neighbouring keys are one vector, and its values padded to whole vectors.
 */
#include <algorithm>

#include "attention_rows.h"
#include "op.h"
#include "packed.h"
#include "threads.h"

namespace pipeline {
namespace {

constexpr int64_t kQueries = 128;  // queries a piece

struct AttentionArgs {
  const float *q, *k, *v;                        // at the first head
  const float *qBias, *kBias, *vBias;            // null for none
  float* z;
  int64_t qStride, kStride, vStride;             // floats from one position to the next
  int64_t batch, positions, heads, kvHeads, headDim, blocks;
  int64_t window;
  float scale, cap;
};

template <int W>
PIPELINE_INLINE void attentionPieces(const AttentionArgs& args, int64_t begin, int64_t end) {
  const int64_t D = args.headDim, padded = (D + W - 1) / W * W;
  const int64_t keysMost = (args.positions + W - 1) / W * W;
  float* const queries = scratch(kQueries * D + D * keysMost + keysMost * padded + kRows * (keysMost + padded));
  float* const keys = queries + kQueries * D;          // [D][keys]
  float* const values = keys + D * keysMost;           // [keys][padded]
  float* const scores = values + keysMost * padded;    // [kRows][keys]
  float* const mixed = scores + kRows * keysMost;      // [kRows][padded]

  for (int64_t piece = begin; piece < end; piece++) {
    const int64_t block = piece % args.blocks, head = piece / args.blocks % args.heads;
    const int64_t batch = piece / args.blocks / args.heads, kvHead = head / (args.heads / args.kvHeads);
    const int64_t first = block * kQueries, last = std::min(first + kQueries, args.positions);
    const int64_t seen = args.window > 0 ? std::max<int64_t>(0, first - args.window + 1) : 0;
    const int64_t keyStart = seen / W * W;                                  // first key laid out
    const int64_t keyCount = (last - keyStart + W - 1) / W * W;
    const int64_t queryRows = (last - first + kRows - 1) / kRows * kRows;

    const float* q = args.q + (batch * args.positions + first) * args.qStride + head * D;
    const float* k = args.k + (batch * args.positions + keyStart) * args.kStride + kvHead * D;
    const float* v = args.v + (batch * args.positions + keyStart) * args.vStride + kvHead * D;
    const float* kBias = args.kBias ? args.kBias + kvHead * D : nullptr;
    for (int64_t i = 0; i < queryRows; i++)
      copyRow<W>(q + i * args.qStride, args.qBias ? args.qBias + head * D : nullptr, args.scale, D,
                 first + i < last, queries + i * D, D);
    for (int64_t j = 0; j < keyCount; j++) {
      const bool real = keyStart + j < last;
      copyRow<W>(v + j * args.vStride, nullptr, 1, D, real, values + j * padded, padded);
      copyRow<W>(k + j * args.kStride, kBias, 1, D, real, mixed, padded);
      for (int64_t d = 0; d < D; d++) keys[d * keyCount + j] = mixed[d];
    }

    for (int64_t row = 0; row < queryRows; row += kRows) {
      const int64_t top = std::min(first + row + kRows, last);  // one past the last key that any of these rows sees
      const int64_t lowest = args.window > 0 ? std::max<int64_t>(0, first + row - args.window + 1) : 0;
      const int64_t from = (lowest - keyStart) / W * W, to = (top - keyStart + W - 1) / W * W;
      product<W>(queries + row * D, D, keys + from, keyCount, D, scores + from, keyCount, to - from);
      float sums[kRows];
      for (int r = 0; r < kRows; r++) {
        const int64_t position = std::min(first + row + r, last - 1);
        const int64_t lo = args.window > 0 ? std::max<int64_t>(0, position - args.window + 1) : 0;
        sums[r] = weigh<W>(scores + r * keyCount, from, to, lo - keyStart, position + 1 - keyStart, args.cap);
      }
      product<W>(scores + from, keyCount, values + from * padded, padded, to - from, mixed, padded, padded);
      for (int r = 0; r < kRows && first + row + r < last; r++) {
        float* z = args.z + ((batch * args.positions + first + row + r) * args.heads + head) * D;
        for (int64_t d = 0; d < D; d++)
          z[d] = mixed[r * padded + d] / sums[r] + (args.vBias ? args.vBias[kvHead * D + d] : 0.f);
      }
    }
  }
}
PIPELINE_KERNEL(attention, attentionPieces, AttentionArgs)

struct Attention {
  int64_t heads, kvHeads, headDim, qOffset, kOffset, vOffset, window;
  float scale, cap;
  explicit Attention(Attributes& attributes)
      : heads(attributes.integer("heads")),
        kvHeads(attributes.integer("kv_heads")),
        headDim(attributes.integer("head_dim")),
        qOffset(attributes.integer("q_offset")),
        kOffset(attributes.integer("k_offset")),
        vOffset(attributes.integer("v_offset")),
        window(attributes.integer("window")),
        scale(attributes.number("scale")),
        cap(attributes.number("cap")) {}

  void compute(const Call& call) const {
    const Tensor q = call.input(0), k = call.input(1), v = call.input(2);
    const Tensor qBias = call.input(3), kBias = call.input(4), vBias = call.input(5);
    require(heads > 0 && kvHeads > 0 && headDim > 0 && heads % kvHeads == 0,
            "attention: heads must be a multiple of kvHeads, and none of them 0.");
    for (const Tensor* x : {&q, &k, &v}) {
      require(x->rank() == 3 && x->dim(0) == q.dim(0) && x->dim(1) == q.dim(1),
              "attention: q, k and v must be [batch, position, n] with the same batch and positions.");
    }
    require(qOffset + heads * headDim <= q.dim(2) && kOffset + kvHeads * headDim <= k.dim(2) &&
                vOffset + kvHeads * headDim <= v.dim(2),
            "attention: the heads reach past the rows of q, k or v.");
    require((qBias.size() == 0 || qBias.size() == q.dim(2)) && (kBias.size() == 0 || kBias.size() == k.dim(2)) &&
                (vBias.size() == 0 || vBias.size() == v.dim(2)),
            "attention: a bias must be as long as a row of what it is added to.");
    const int64_t positions = q.dim(1), blocks = (positions + kQueries - 1) / kQueries;
    const Tensor z = call.floats(0, {q.dim(0), positions, heads * headDim});
    const AttentionArgs args{q.floats() + qOffset,
                             k.floats() + kOffset,
                             v.floats() + vOffset,
                             qBias.size() ? qBias.floats() + qOffset : nullptr,
                             kBias.size() ? kBias.floats() + kOffset : nullptr,
                             vBias.size() ? vBias.floats() + vOffset : nullptr,
                             z.floats(),
                             q.dim(2), k.dim(2), v.dim(2),
                             q.dim(0), positions, heads, kvHeads, headDim, blocks, window, scale, cap};
    parallel(q.dim(0) * heads * blocks, 1, [&](int64_t begin, int64_t end) { attention(args, begin, end); });
  }
};
PIPELINE_OP(Attention, "PipelineAttention",
            {"heads: int", "kv_heads: int", "head_dim: int", "q_offset: int", "k_offset: int", "v_offset: int",
             "window: int", "scale: float", "cap: float"},
            {"q: float", "k: float", "v: float", "q_bias: float", "k_bias: float", "v_bias: float"}, {"z: float"});

}  // namespace
}  // namespace pipeline
