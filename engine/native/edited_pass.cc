/**
 * The blocks behind a residual, for many edits of one document at once, each in cache from its first block to its last norm:
 *
 *   x ← x + Σ change · bank[row]        at the edited positions
 *   x ← x + attn(norm x),  x ← x + mlp(norm x)      for each block
 *   y = norm x − (the same without the edit)        at the positions that are read
 *
 * Only what an edit changes is computed: in the first block queries, keys and values of edited positions, since others are as they
 * were; behind the attention of the last block positions that are read; nothing before the first edited position, whose keys and
 * values are the document's. A piece of work is some edits, whose rows share the products; what an edit gives does not depend on
 * which others come with it, and an edit of nothing gives zeros.
 */
#include "edited_pass.h"

#include <algorithm>

#include "attention_rows.h"
#include "gemm.h"
#include "op.h"
#include "packed.h"
#include "threads.h"

namespace pipeline {
namespace {

/** Memory of a piece. */
struct Room {
  float *x, *normed, *projected, *z, *hidden, *product;
  float *keys, *values, *scores, *mixed, *queries;  // of one head
};

template <int W>
PIPELINE_INLINE Room roomFor(const PassArgs& args) {
  const Shape& s = args.shape;
  const int64_t rows = args.mostRows, stride = keyStride<W>(s.positions), padded = paddedHead<W>(s.headDim);
  const int64_t deepest = std::max(std::max(s.width, s.hidden), s.queries());
  const int64_t sizes[] = {rows * s.width,      rows * s.width,      rows * s.projected(), rows * std::max(s.queries(), s.width),
                           rows * s.hidden,     layerScratch(rows, deepest),
                           s.headDim * stride,  stride * padded,     kRows * stride,       kRows * padded,
                           kRows * s.headDim};
  int64_t total = 0;
  for (int64_t size : sizes) total += (size + 15) / 16 * 16;
  float* at = scratch(total);
  float* parts[11];
  for (int i = 0; i < 11; i++) {
    parts[i] = at;
    at += (sizes[i] + 15) / 16 * 16;
  }
  return {parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], parts[6], parts[7], parts[8], parts[9], parts[10]};
}

/** Rotates `heads` heads of a row in place. */
PIPELINE_INLINE void rotateHeads(const Shape& s, int64_t position, int64_t heads, float* row) {
  const float* const cosines = s.cosines + position * s.headDim;
  const float* const sines = s.sines + position * s.headDim;
  for (int64_t head = 0; head < heads; head++, row += s.headDim)
    for (int64_t i = 0; i < s.pairs; i++) {
      const int64_t one = s.neighbours ? 2 * i : i, other = s.neighbours ? 2 * i + 1 : i + s.pairs;
      const float a = row[one], b = row[other];
      row[one] = a * cosines[one] + b * sines[one];
      row[other] = b * cosines[other] + a * sines[other];
    }
}

/** The rows of one edit among those of its piece. */
struct EditRows {
  int64_t edit, first, from, end;  // first row of the piece; positions
};

/** z of the queries at some rows of an edit, ascending, as they come: [rows, heads · headDim]. */
template <int W>
PIPELINE_INLINE void attendRows(const PassArgs& args, int64_t block, const EditRows& own, const int32_t* rows, int64_t count,
                                const Room& room, float* z) {
  const Shape& s = args.shape;
  const int64_t D = s.headDim, padded = paddedHead<W>(D), stride = keyStride<W>(s.positions), wide = s.projected();
  const int64_t heads = s.heads / s.kvHeads;
  const bool sparse = block == 0 && !args.whole();
  // Positions whose keys and values are the document's.
  const int64_t clean = sparse ? own.end : own.from;
  const float* const projected = room.projected + (own.first - own.from) * wide;  // of position 0, were it a row
  for (int64_t kvHead = 0; kvHead < s.kvHeads; kvHead++) {
    const int64_t at = block * s.kvHeads + kvHead;
    if (!args.whole()) {
      const float* const keys = args.cleanKeys + at * D * stride;
      for (int64_t d = 0; d < D; d++) std::memcpy(room.keys + d * stride, keys + d * stride, static_cast<size_t>(clean) * 4);
      std::memcpy(room.values, args.cleanValues + at * stride * padded, static_cast<size_t>(clean * padded) * 4);
    }
    const float* const k = projected + s.queries() + kvHead * D;
    const float* const v = k + s.keys();
    if (sparse)
      for (int64_t i = args.starts[own.edit]; i < args.starts[own.edit + 1]; i++) {
        const int64_t position = args.entries[2 * i];
        if (position >= own.end) break;
        for (int64_t d = 0; d < D; d++) room.keys[d * stride + position] = k[position * wide + d];
        copyRow<W>(v + position * wide, nullptr, 1, D, true, room.values + position * padded, padded);
      }
    else {
      turnRows(k + own.from * wide, wide, own.end - own.from, (own.end - own.from + 3) / 4 * 4, D, room.keys + own.from, stride);
      for (int64_t position = own.from; position < own.end; position++)
        copyRow<W>(v + position * wide, nullptr, 1, D, true, room.values + position * padded, padded);
    }
    // Masked keys have weight 0, which a value that is not a number would turn into one that is not, either.
    std::memset(room.values + own.end * padded, 0, static_cast<size_t>((stride - own.end) * padded) * 4);
    for (int64_t head = kvHead * heads; head < (kvHead + 1) * heads; head++)
      for (int64_t i = 0; i < count; i += kRows) {
        int64_t positions[kRows], top = 0;
        for (int r = 0; r < kRows; r++) {
          const int64_t row = rows[std::min(i + r, count - 1)];
          positions[r] = row - own.first + own.from;
          top = std::max(top, positions[r] + 1);
          copyRow<W>(room.projected + row * wide + head * D, nullptr, args.blocks[block].scale, D, true, room.queries + r * D, D);
        }
        const int64_t to = (top + W - 1) / W * W;
        product<W>(room.queries, D, room.keys, stride, D, room.scores, stride, to);
        float sums[kRows];
        for (int r = 0; r < kRows; r++) sums[r] = weigh<W>(room.scores + r * stride, 0, to, 0, positions[r] + 1, 0);
        product<W>(room.scores, stride, room.values, padded, to, room.mixed, padded, padded);
        for (int r = 0; r < kRows && i + r < count; r++)
          for (int64_t d = 0; d < D; d++) z[((i + r) * s.heads + head) * D + d] = room.mixed[r * padded + d] / sums[r];
      }
  }
}

/** Row indices of a piece. */
struct PieceRows {
  std::vector<EditRows> edits;
  std::vector<int32_t> all, changed, read;  // rows; `changed` are those that an edit adds to
  std::vector<int32_t> positions;           // of each row
  std::vector<int64_t> readStarts;          // in `read`, of each edit of the piece and behind the last
};

PieceRows rowsOf(const PassArgs& args, int64_t piece) {
  PieceRows rows;
  int64_t count = 0;
  for (int64_t edit = args.pieces[piece]; edit < args.pieces[piece + 1]; edit++) {
    const EditRows own{edit, count, args.firstRow(edit), args.endRow(edit)};
    rows.edits.push_back(own);
    for (int64_t position = own.from; position < own.end; position++, count++) {
      rows.all.push_back(static_cast<int32_t>(count));
      rows.positions.push_back(static_cast<int32_t>(position));
    }
    for (int64_t i = args.starts[edit]; i < args.starts[edit + 1]; i++) {
      const int64_t position = args.entries[2 * i], row = own.first + position - own.from;
      if (position < own.end && (rows.changed.empty() || rows.changed.back() != row))
        rows.changed.push_back(static_cast<int32_t>(row));
    }
    rows.readStarts.push_back(static_cast<int64_t>(rows.read.size()));
    for (int64_t i = args.readStarts[edit]; i < args.readStarts[edit + 1]; i++)
      rows.read.push_back(static_cast<int32_t>(own.first + args.reads[i] - own.from));
  }
  rows.readStarts.push_back(static_cast<int64_t>(rows.read.size()));
  return rows;
}

/** The edited residuals of a piece. */
template <int W>
PIPELINE_INLINE void fillRows(const PassArgs& args, const PieceRows& rows, float* x) {
  const int64_t width = args.shape.width;
  for (const EditRows& own : rows.edits) {
    float* const first = x + own.first * width;
    std::memcpy(first, args.x + own.from * width, static_cast<size_t>((own.end - own.from) * width) * 4);
    for (int64_t i = args.starts[own.edit]; i < args.starts[own.edit + 1]; i++) {
      const int64_t position = args.entries[2 * i];
      if (position >= own.end) break;
      float* const to = first + (position - own.from) * width;
      const float* const direction = args.bank + args.entries[2 * i + 1] * width;
      const float change = args.changes[i];
      for (int64_t j = 0; j < width; j++) to[j] += change * direction[j];
    }
  }
}

template <int W>
PIPELINE_INLINE void normRowsAt(const float* x, const std::vector<int32_t>& rows, const RowNorm& norm, float* y) {
  for (size_t i = 0; i < rows.size(); i++)
    normRow<W>(x + rows[i] * norm.width, norm, y + static_cast<int64_t>(i) * norm.width);
}

/** Queries, keys and values of a block's rows, as far as they are needed, rotated. */
template <int W>
PIPELINE_INLINE void projectRows(const PassArgs& args, int64_t b, const PieceRows& rows, const Room& room) {
  const Shape& s = args.shape;
  const Block& block = args.blocks[b];
  const bool sparse = b == 0 && !args.whole(), last = b == args.count - 1 && !sparse;
  const std::vector<int32_t>& made = sparse ? rows.changed : rows.all;
  const std::vector<int32_t>& asking = last ? rows.read : made;
  const int64_t wide = s.projected(), count = static_cast<int64_t>(made.size());
  const Target whole{room.projected, wide, made.data(), kStoreSums, s.activation};
  const Target asked{room.projected, wide, asking.data(), kStoreSums, s.activation};
  normRowsAt<W>(room.x, made, block.before, room.normed);
  const bool together = block.k.weight == nullptr;
  if (together) multiplyLayer({room.normed, count, block.q, whole, room.product}, last ? s.queries() : 0, wide);
  else {
    Target keys = whole, values = whole;
    keys.y += s.queries();
    values.y += s.queries() + s.keys();
    multiplyLayer({room.normed, count, block.k, keys, room.product});
    multiplyLayer({room.normed, count, block.v, values, room.product});
  }
  if (last) normRowsAt<W>(room.x, asking, block.before, room.normed);
  if (last || !together)
    multiplyLayer({room.normed, static_cast<int64_t>(asking.size()), block.q, asked, room.product}, 0, s.queries());
  if (s.cosines) {
    for (int32_t row : asking) rotateHeads(s, rows.positions[row], s.heads, room.projected + row * wide);
    for (int32_t row : made) rotateHeads(s, rows.positions[row], s.kvHeads, room.projected + row * wide + s.queries());
  }
  if (!sparse) return;
  // Rows that no edit adds to ask what they always did.
  size_t next = 0;
  for (int32_t row : rows.all) {
    if (next < rows.changed.size() && rows.changed[next] == row) next++;
    else
      std::memcpy(room.projected + row * wide, args.cleanQueries + rows.positions[row] * s.queries(),
                  static_cast<size_t>(s.queries()) * 4);
  }
}

/** What a pass of the document as it is keeps of a block. */
PIPELINE_INLINE void keepRows(const PassArgs& args, int64_t b, const Room& room) {
  const Shape& s = args.shape;
  for (int64_t row = 0; row < s.positions; row++) {
    const float* const from = room.projected + row * s.projected();
    if (b == 0) std::memcpy(args.keptQueries + row * s.queries(), from, static_cast<size_t>(s.queries()) * 4);
    std::memcpy(args.keptKv + (b * s.positions + row) * 2 * s.keys(), from + s.queries(), static_cast<size_t>(2 * s.keys()) * 4);
  }
}

/** x becomes its rows at `rows`, which ascend within an edit and may repeat. */
PIPELINE_INLINE void gatherRows(const std::vector<int32_t>& rows, int64_t width, float*& x, float*& other) {
  for (size_t i = 0; i < rows.size(); i++)
    std::memcpy(other + static_cast<int64_t>(i) * width, x + rows[i] * width, static_cast<size_t>(width) * 4);
  std::swap(x, other);
}

template <int W>
PIPELINE_INLINE void passPieces(const PassArgs& args, int64_t begin, int64_t end) {
  const Shape& s = args.shape;
  Room room = roomFor<W>(args);
  for (int64_t piece = begin; piece < end; piece++) {
    const PieceRows rows = rowsOf(args, piece);
    int64_t count = static_cast<int64_t>(rows.all.size());
    fillRows<W>(args, rows, room.x);
    for (int64_t b = 0; b < args.count; b++) {
      const Block& block = args.blocks[b];
      const bool last = b == args.count - 1;
      projectRows<W>(args, b, rows, room);
      if (args.whole()) keepRows(args, b, room);
      for (size_t e = 0; e < rows.edits.size(); e++) {
        const EditRows& own = rows.edits[e];
        const int64_t first = last ? rows.readStarts[e] : own.first;
        const int64_t asking = last ? rows.readStarts[e + 1] - first : own.end - own.from;
        attendRows<W>(args, b, own, (last ? rows.read : rows.all).data() + first, asking, room, room.z + first * s.queries());
      }
      if (last) {
        gatherRows(rows.read, s.width, room.x, room.normed);
        count = static_cast<int64_t>(rows.read.size());
      }
      const Target residual{room.x, s.width, nullptr, kAddSums, s.activation};
      multiplyLayer({room.z, count, block.out, residual, room.product});
      for (int64_t row = 0; row < count; row++) normRow<W>(room.x + row * s.width, block.middle, room.normed + row * s.width);
      const Target hidden{room.hidden, s.hidden, nullptr, block.gate.weight ? kGateSums : kActivateSums, s.activation};
      const Target gate{room.hidden, s.hidden, nullptr, kStoreSums, s.activation};
      if (block.gate.weight) multiplyLayer({room.normed, count, block.gate, gate, room.product});
      multiplyLayer({room.normed, count, block.up, hidden, room.product});
      multiplyLayer({room.hidden, count, block.down, residual, room.product});
    }
    if (args.count == 0) gatherRows(rows.read, s.width, room.x, room.normed);
    // Edits of a piece follow one another, and so do their reads.
    const int64_t at = args.readStarts[args.pieces[piece]];
    for (int64_t i = 0; i < static_cast<int64_t>(rows.read.size()); i++) {
      float* const y = args.y + (at + i) * s.width;
      normRow<W>(room.x + i * s.width, args.last, y);
      if (args.whole()) continue;
      const float* const clean = args.cleanLast + args.reads[at + i] * s.width;
      for (int64_t j = 0; j < s.width; j++) y[j] -= clean[j];
    }
  }
}
PIPELINE_KERNEL(passEdits, passPieces, PassArgs)

struct PackArgs {
  const Layer* layers;
  bool transposed;
};

template <int W>
PIPELINE_INLINE void packLayers(const PackArgs& args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    const Layer& layer = args.layers[i];
    for (int64_t column = 0; column < layer.outputs; column += kPanel<W>)
      packPanel<W>(layer.weight, layer.inputs, layer.outputs, args.transposed, column, layer.packed + column * layer.inputs);
  }
}
PIPELINE_KERNEL(packAll, packLayers, PackArgs)

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
    turnRows(k, wide, s.positions, (s.positions + 3) / 4 * 4, s.headDim, args.keys + at * s.headDim * stride, stride);
    for (int64_t position = 0; position < s.positions; position++)
      copyRow<W>(k + s.keys() + position * wide, nullptr, 1, s.headDim, true, args.values + (at * stride + position) * padded,
                 padded);
  }
}
PIPELINE_KERNEL(layAll, layHeads, LayArgs)

/** Inputs of one block among the weights, empty where it has none. */
enum BlockInput {
  kGain1, kBias1, kGain2, kBias2, kQ, kQBias, kK, kKBias, kV, kVBias, kOut, kOutBias, kGate, kGateBias, kUp, kUpBias, kDown,
  kDownBias, kBlockInputs
};

int64_t vectorLanes() { return panelColumns() / 3; }
int64_t whole(int64_t value, int64_t of) { return (value + of - 1) / of * of; }

/** What both ops read of their attributes and weights. */
struct Blocks {
  int64_t heads, kvHeads, headDim, count, activation, pairs;
  bool transposed, centre, neighbours;
  float epsilon;
  explicit Blocks(Attributes& attributes)
      : heads(attributes.integer("heads")),
        kvHeads(attributes.integer("kv_heads")),
        headDim(attributes.integer("head_dim")),
        count(attributes.integer("blocks")),
        activation(attributes.integer("activation")),
        pairs(attributes.integer("pairs")),
        transposed(attributes.flag("transposed")),
        centre(attributes.flag("centre")),
        neighbours(attributes.flag("neighbours")),
        epsilon(attributes.number("epsilon")) {}

  /** Tensors and what they are made into: they live as long as the call. */
  struct Held {
    std::vector<Tensor> tensors;
    std::vector<Block> blocks;
    std::vector<Layer*> layers;
    RowNorm last;
    Shape shape;
    int64_t packed = 0;  // floats
  };

  RowNorm normOf(const Tensor& gain, const Tensor& bias, int64_t width) const {
    require((gain.size() == 0 || gain.size() == width) && (bias.size() == 0 || bias.size() == width),
            "edited pass: gain and bias of a norm must be as wide as the residual.");
    return {gain.size() ? gain.floats() : nullptr, bias.size() ? bias.floats() : nullptr, width, epsilon, centre};
  }

  Layer layerOf(const Tensor& weight, const Tensor& bias, int64_t inputs, int64_t outputs, const char* what) const {
    if (weight.size() == 0) return {};
    require(weight.rank() == 2 && weight.dim(transposed ? 1 : 0) == inputs && weight.dim(transposed ? 0 : 1) == outputs &&
                (bias.size() == 0 || bias.size() == outputs),
            std::string("edited pass: ") + what + " must take " + std::to_string(inputs) + " values to " +
                std::to_string(outputs) + ".");
    return {weight.floats(), bias.size() ? bias.floats() : nullptr, inputs, outputs, nullptr};
  }

  /** x, cosines, sines and scales are the inputs from `first` on, then the weights. */
  void read(const Call& call, int first, Held& held) const {
    require(heads > 0 && kvHeads > 0 && headDim > 0 && heads % kvHeads == 0 && 2 * pairs <= headDim && count >= 0,
            "edited pass: heads must be a multiple of kvHeads, and rotate no more than they have.");
    for (int i = 0; i < 4 + count * kBlockInputs + 2; i++) held.tensors.push_back(call.input(first + i));
    const Tensor &x = held.tensors[0], &cosines = held.tensors[1], &sines = held.tensors[2], &scales = held.tensors[3];
    require(x.rank() == 2, "edited pass: x must be [position, width].");
    const int64_t positions = x.dim(0), width = x.dim(1);
    require(scales.size() == count, "edited pass: there must be a scale for each block.");
    require(cosines.size() == sines.size() && (cosines.size() == 0 || cosines.size() == positions * headDim),
            "edited pass: cosines and sines must be [position, headDim].");
    const bool rotates = cosines.size() > 0;
    held.shape = {width, heads, kvHeads, headDim, 0, positions, static_cast<Activation>(activation),
                  rotates ? cosines.floats() : nullptr, rotates ? sines.floats() : nullptr, pairs, neighbours};
    const int64_t queries = held.shape.queries(), keys = held.shape.keys();
    held.blocks.resize(static_cast<size_t>(count));
    for (int64_t b = 0; b < count; b++) {
      const Tensor* const own = held.tensors.data() + 4 + b * kBlockInputs;
      Block& block = held.blocks[b];
      require(own[kUp].rank() == 2, "edited pass: the hidden layer must be a matrix.");
      const int64_t hidden = own[kUp].dim(transposed ? 0 : 1);
      require(b == 0 || hidden == held.shape.hidden, "edited pass: hidden layers must be of one width.");
      held.shape.hidden = hidden;
      block.before = normOf(own[kGain1], own[kBias1], width);
      block.middle = normOf(own[kGain2], own[kBias2], width);
      const bool together = own[kK].size() == 0;
      block.q = layerOf(own[kQ], own[kQBias], width, together ? held.shape.projected() : queries, "the query layer");
      block.k = layerOf(own[kK], own[kKBias], width, keys, "the key layer");
      block.v = layerOf(own[kV], own[kVBias], width, keys, "the value layer");
      block.out = layerOf(own[kOut], own[kOutBias], queries, width, "the output layer");
      block.gate = layerOf(own[kGate], own[kGateBias], width, hidden, "the gate layer");
      block.up = layerOf(own[kUp], own[kUpBias], width, hidden, "the hidden layer");
      block.down = layerOf(own[kDown], own[kDownBias], hidden, width, "the last layer");
      require(block.q.weight && block.out.weight && block.up.weight && block.down.weight && (together || block.v.weight),
              "edited pass: a block lacks a layer.");
      block.scale = scales.floats()[b];
    }
    for (Block& block : held.blocks)
      for (Layer* layer : {&block.q, &block.k, &block.v, &block.out, &block.gate, &block.up, &block.down})
        if (layer->weight) {
          held.layers.push_back(layer);
          held.packed += whole(layer->outputs, panelColumns()) * layer->inputs;
        }
    const size_t behind = 4 + static_cast<size_t>(count) * kBlockInputs;
    held.last = normOf(held.tensors[behind], held.tensors[behind + 1], width);
  }

  /** Packs all weights into memory of `held.packed` floats. */
  void pack(Held& held, float* memory) const {
    std::vector<Layer> layers;
    for (Layer* layer : held.layers) {
      layer->packed = memory;
      memory += whole(layer->outputs, panelColumns()) * layer->inputs;
      layers.push_back(*layer);
    }
    const PackArgs args{layers.data(), transposed};
    parallel(static_cast<int64_t>(layers.size()), 1, [&](int64_t begin, int64_t end) { packAll(args, begin, end); });
  }
};

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
    PassArgs args{};
    args.blocks = held.blocks.data();
    args.count = count;
    args.last = held.last;
    args.shape = s;
    args.x = held.tensors[0].floats();
    args.starts = starts;
    args.reads = reads.data();
    args.readStarts = readStarts;
    args.pieces = pieces;
    args.mostRows = s.positions;
    args.y = last.floats();
    args.keptQueries = queries.floats();
    args.keptKv = kv.floats();
    passEdits(args, 0, 1);
  }
};

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
    PassArgs args{};
    args.blocks = held.blocks.data();
    args.count = count;
    args.last = held.last;
    args.shape = s;
    args.x = held.tensors[0].floats();
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

    const int64_t lanes = vectorLanes(), stride = whole(s.positions + 4, lanes), padded = whole(s.headDim, lanes);
    const int64_t heads = count * s.kvHeads;
    float* const memory = sharedScratch(held.packed + heads * stride * (s.headDim + padded));
    pack(held, memory);
    const LayArgs lay{kv.floats(), s, memory + held.packed, memory + held.packed + heads * stride * s.headDim};
    parallel(heads, 1, [&](int64_t begin, int64_t end) { layAll(lay, begin, end); });
    args.cleanKeys = lay.keys;
    args.cleanValues = lay.values;
    parallel(static_cast<int64_t>(pieces.size()) - 1, 1, [&](int64_t begin, int64_t end) { passEdits(args, begin, end); });
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

#define PIPELINE_BLOCKS                                                                                                  \
  "heads: int", "kv_heads: int", "head_dim: int", "blocks: int", "activation: int", "pairs: int", "transposed: bool",   \
      "centre: bool", "neighbours: bool", "epsilon: float", "N: int"
PIPELINE_OP(CleanPass, "PipelineCleanPass", {PIPELINE_BLOCKS},
            {"x: float", "cosines: float", "sines: float", "scales: float", "weights: N * float"},
            {"queries: float", "kv: float", "last: float"});
PIPELINE_OP(EditedPass, "PipelineEditedPass", {PIPELINE_BLOCKS},
            {"bank: float", "changes: float", "entries: int32", "starts: int32", "reads: int32", "queries: float", "kv: float",
             "last: float", "x: float", "cosines: float", "sines: float", "scales: float", "weights: N * float"},
            {"y: float"});

}  // namespace
}  // namespace pipeline
