/** A linear layer of a pass that stays in cache: rows by packed panels (gemm.h), and where the sums go. */
#pragma once
#include <cstdint>

namespace pipeline {

enum Activation : int64_t { kErfGelu = 0, kTanhGelu = 1, kSilu = 2, kRelu = 3 };

/** A layer whose weight is packed as B of gemm.h, all its depth. */
struct Layer {
  const float* weight = nullptr;  // null where the block has no such layer
  const float* bias = nullptr;    // null for none
  int64_t inputs = 0, outputs = 0;
  float* packed = nullptr;
};

/** What is done with the sums of a layer. */
enum After { kStoreSums, kAddSums, kActivateSums, kGateSums };

/** Where the sums of a layer go: y = value, y += value, y = act(value) or y = act(y) · value, with value = sum + bias. */
struct Target {
  float* y;
  int64_t stride;
  const int32_t* rows;  // for each row of the product the row of y; null: the same
  After after;
  Activation activation;
};

/** Columns [first, last) of a layer for some rows; whole panels are made of them. */
struct LayerWork {
  const float* x;  // [rows, inputs]
  int64_t rows;
  const Layer& layer;
  Target target;
  float* memory;  // `layerScratch` floats
};

/** Floats that `multiplyLayer` needs for so many rows of this depth. */
int64_t layerScratch(int64_t rows, int64_t depth);

void multiplyLayer(const LayerWork& work, int64_t first, int64_t last);
inline void multiplyLayer(const LayerWork& work) { multiplyLayer(work, 0, work.layer.outputs); }

}  // namespace pipeline
