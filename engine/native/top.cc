/** Choosing among candidates. */
#include "top.h"

#include <cstring>
#include <functional>

namespace pipeline {
namespace {

uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

/**
 * The k-th largest of positive values, which order as their bits do: bits are decided from the highest down, each by counting
 * how many values reach so far. `count` > k > 0.
 */
float kthLargest(const float* values, int64_t count, int64_t k) {
  uint32_t smallest = 0x7f800000, largest = 0;
  for (int64_t i = 0; i < count; i++) {
    const uint32_t bits = bitsOf(values[i]);
    smallest = bits < smallest ? bits : smallest;
    largest = bits > largest ? bits : largest;
  }
  // Bits above the highest in which any two values differ are the same in all.
  const uint32_t differing = smallest ^ largest;
  const int top = differing ? 31 - __builtin_clz(differing) : -1;
  uint32_t found = top < 0 ? smallest : smallest >> top >> 1 << top << 1;
  for (int bit = top; bit >= 0; bit--) {
    const uint32_t tried = found | (1u << bit);
    int32_t reaching = 0;
    for (int64_t i = 0; i < count; i++) reaching += bitsOf(values[i]) >= tried;
    if (reaching >= k) found = tried;
    if (reaching == k) break;  // exactly the k largest reach: any threshold among them serves
  }
  float value;
  std::memcpy(&value, &found, 4);
  return value;
}

}  // namespace

void Candidates::prune(int64_t row) const {
  float* const own = values + row * room;
  int32_t* const at = columns + row * room;
  const int32_t count = counts[row];
  if (count <= k) return;
  // `reached` may lie below the k-th largest, but exactly k values are at or above it unless some are equal to it.
  const float reached = kthLargest(own, count, k);
  int32_t above = 0, kept = 0;
  for (int32_t i = 0; i < count; i++) above += own[i] > reached;
  int64_t equals = k - above;
  float lowest = own[0];
  bool any = false;
  for (int32_t i = 0; i < count; i++) {
    if (own[i] < reached || (own[i] == reached && equals-- <= 0)) continue;
    lowest = !any || own[i] < lowest ? own[i] : lowest;
    any = true;
    own[kept] = own[i];
    at[kept++] = at[i];
  }
  counts[row] = kept;
  thresholds[row] = lowest;
}

void Candidates::finish(int64_t row, float* outValues, int32_t* outColumns) const {
  prune(row);
  const float* own = values + row * room;
  const int32_t* at = columns + row * room;
  int64_t missing = k - counts[row], out = 0;
  int32_t next = 0, column = 0;
  while (out < k) {
    if (missing > 0 && (next == counts[row] || column < at[next])) {
      outValues[out] = 0;
      outColumns[out++] = column++;
      missing--;
    } else {
      outValues[out] = own[next];
      outColumns[out++] = at[next];
      column = at[next++] + 1;
    }
  }
}

}  // namespace pipeline
