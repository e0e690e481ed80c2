/** What the ops of passes through blocks (clean_pass.cc, edited_pass.cc) read of their attributes and weights. */
#pragma once
#include <vector>

#include "edited_pass.h"
#include "op.h"

namespace pipeline {

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

  /** x, cosines, sines and scales are the inputs from `first` on, then the weights. Throws where their shapes do not agree. */
  void read(const Call& call, int first, Held& held) const;
  /** Packs all weights into memory of `held.packed` floats. */
  void pack(Held& held, float* memory) const;
  /** A pass through the blocks from x on; edits, and what is kept or known of the document, are for the op to fill in. */
  PassArgs pass(const Held& held) const;

 private:
  RowNorm normOf(const Tensor& gain, const Tensor& bias, int64_t width) const;
  Layer layerOf(const Tensor& weight, const Tensor& bias, int64_t inputs, int64_t outputs, const char* what) const;
};

}  // namespace pipeline

/** The attributes of such an op. */
#define PIPELINE_BLOCKS                                                                                                  \
  "heads: int", "kv_heads: int", "head_dim: int", "blocks: int", "activation: int", "pairs: int", "transposed: bool",   \
      "centre: bool", "neighbours: bool", "epsilon: float", "N: int"
