/**
 * A pass through a few blocks of a transformer (edited_rows.cc): one document as it is, or edits of it. A row is the residual of one
 * position of one edit, from its first edited position to the last that is read.
 */
#pragma once
#include <vector>

#include "norm_row.h"
#include "pass_layer.h"

namespace pipeline {

struct Block {
  RowNorm before, middle;
  Layer q, k, v;  // q alone holds queries, keys and values where k has no weight
  Layer out, gate, up, down;
  float scale;
};

/** Sizes and settings that all blocks have. */
struct Shape {
  int64_t width, heads, kvHeads, headDim, hidden, positions;
  Activation activation;
  const float *cosines, *sines;  // [position, headDim]; null where nothing is rotated
  int64_t pairs;                 // elements of a head that are rotated, halved
  bool neighbours;               // pairs are 2i and 2i + 1, else i and i + pairs

  int64_t queries() const { return heads * headDim; }
  int64_t keys() const { return kvHeads * headDim; }
  int64_t projected() const { return queries() + 2 * keys(); }
};

/** Keys of a head are laid out by dimension this far apart, values padded to whole vectors. */
template <int W>
PIPELINE_INLINE int64_t keyStride(int64_t positions) {
  return (positions + 4 + W - 1) / W * W;
}
template <int W>
PIPELINE_INLINE int64_t paddedHead(int64_t headDim) {
  return (headDim + W - 1) / W * W;
}

struct PassArgs {
  const Block* blocks;
  int64_t count;
  RowNorm last;
  Shape shape;
  const float* x;  // [position, width], where the pass starts

  // Edits. Entries of an edit ascend by position; several may be of one position.
  const int32_t *entries, *starts, *reads, *readStarts;  // [n, 2]: position and row of the bank; [edits + 1] each
  const float *changes, *bank;
  const int64_t* pieces;  // edits of each piece, from one to the next
  int64_t mostRows;       // of a piece
  float* y;               // [reads, width]

  // The document as it is; null while it is being made, when every row is computed and nothing is subtracted.
  const float *cleanQueries, *cleanLast;
  const float *cleanKeys, *cleanValues;  // by block and head, laid out as attention reads them
  // What is kept of it while it is being made: queries of the first block, keys and values of all.
  float *keptQueries, *keptKv;

  bool whole() const { return cleanLast == nullptr; }
  int64_t firstRow(int64_t edit) const { return whole() ? 0 : entries[2 * starts[edit]]; }
  int64_t endRow(int64_t edit) const {
    const int64_t last = readStarts[edit + 1] - 1;
    return last < readStarts[edit] ? firstRow(edit) : reads[last] + 1;
  }
};

/** Passes the pieces [begin, end). */
void passPieces(const PassArgs& args, int64_t begin, int64_t end);

}  // namespace pipeline
