/** Column sums, a range of columns at a time. */
#include "sums.h"

#include <algorithm>
#include <vector>

#include "threads.h"

namespace pipeline {
namespace {

constexpr int64_t kBlock = 16;
constexpr int64_t kInterleaved = 4;
constexpr int64_t kLevels = 3;

/** to = the sum of `count` rows of `width` columns that lie `stride` apart, one after the other. */
void chain(const float* from, int64_t count, int64_t stride, int64_t width, float* to) {
  std::copy(from, from + width, to);
  for (int64_t row = 1; row < count; row++)
    for (int64_t i = 0; i < width; i++) to[i] += from[row * stride + i];
}

/** to = the sum of the rows in blocks of 16, of 16 blocks, of 16 of those. `count` ≥ 1. */
void cascade(const float* from, int64_t count, int64_t stride, int64_t width, float* to) {
  std::vector<float> parts, level, above;
  int64_t pieces = 0;
  const auto add = [&](const float* rows, int64_t many) {
    parts.resize((pieces + 1) * width);
    chain(rows, many, stride, width, parts.data() + pieces++ * width);
  };
  for (int64_t depth = 0; depth < kLevels && count >= kBlock; depth++) {
    const int64_t blocks = count / kBlock;
    if (count > blocks * kBlock) add(from + blocks * kBlock * stride, count - blocks * kBlock);
    above.resize(blocks * width);
    for (int64_t block = 0; block < blocks; block++)
      chain(from + block * kBlock * stride, kBlock, stride, width, above.data() + block * width);
    level.swap(above);
    from = level.data();
    count = blocks;
    stride = width;
  }
  add(from, count);
  chain(parts.data(), pieces, width, width, to);
}

void sumColumns(const float* matrix, int64_t rows, int64_t columns, int64_t begin, int64_t end, float* sums) {
  const int64_t steps = rows / kInterleaved, width = end - begin;
  const float* const left = matrix + steps * kInterleaved * columns + begin;
  const int64_t rest = rows - steps * kInterleaved;
  if (steps == 0) return chain(left, rest, columns, width, sums + begin);
  std::vector<float> part(width);
  for (int64_t lane = 0; lane < kInterleaved; lane++) {
    cascade(matrix + lane * columns + begin, steps, kInterleaved * columns, width, part.data());
    if (lane == 0) {
      std::copy(part.begin(), part.end(), sums + begin);
      for (int64_t row = 0; row < rest; row++)
        for (int64_t i = 0; i < width; i++) sums[begin + i] += left[row * columns + i];
    } else {
      for (int64_t i = 0; i < width; i++) sums[begin + i] += part[i];
    }
  }
}

}  // namespace

void columnSums(const float* matrix, int64_t rows, int64_t columns, float* sums) {
  if (rows == 0) std::fill(sums, sums + columns, 0.f);
  else
  parallel(columns, 64, [&](int64_t begin, int64_t end) { sumColumns(matrix, rows, columns, begin, end, sums); });
}

}  // namespace pipeline
