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
#include <algorithm>

#include "attention_rows.h"
#include "edited_pass.h"
#include "gemm.h"
#include "packed.h"

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
      turnRows<4>(k + own.from * wide, wide, own.end - own.from, (own.end - own.from + 3) / 4 * 4, D, room.keys + own.from, stride);
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
PIPELINE_INLINE void passRows(const PassArgs& args, int64_t begin, int64_t end) {
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
PIPELINE_KERNEL(passAll, passRows, PassArgs)

}  // namespace

void passPieces(const PassArgs& args, int64_t begin, int64_t end) { passAll(args, begin, end); }

}  // namespace pipeline
