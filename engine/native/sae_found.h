/** The entries that a dense product finds above bounds: gathered group by group of rows, then laid out row by row. */
#pragma once
#include <algorithm>
#include <atomic>
#include <vector>

#include "threads.h"
#include "top.h"

namespace pipeline {

/** Columns whose entries are gathered at a time, so that a group's rows have few places to write to. */
constexpr int64_t kColumns = 1024;

/** The entries of a group of rows: those of each row for the first stretch of columns, then for the next. */
struct Found {
  std::vector<int32_t> counts;  // [stretches][rows]
  std::vector<float> values;
  std::vector<int32_t> columns;
};

/** Takes what is above its bound from the blocks of one group of rows. */
struct Collector {
  int64_t rows;
  Found& found;
  std::atomic<int64_t>& total;
  float* values;     // [rows][kColumns]
  int32_t* columns;  // [rows][kColumns]
  int32_t* counts;   // [rows]

  /** 4-byte cells for a group. */
  static int64_t cells(int64_t rows) { return rows * (2 * kColumns + 1); }

  Collector(float* memory, int64_t rows, Found& found, std::atomic<int64_t>& total) : rows(rows), found(found), total(total) {
    values = memory;
    columns = reinterpret_cast<int32_t*>(values + rows * kColumns);
    counts = columns + rows * kColumns;
    std::fill(counts, counts + rows, 0);
  }

  template <int W>
  PIPELINE_INLINE void take(int64_t row, F<W> value, F<W> bound, int64_t column, int64_t left) const {
    uint32_t mask = maskAbove<W>(value, bound);
    if (left < W) mask &= (1u << left) - 1;
    if (!mask) return;
    float lanes[W];
    store<W>(lanes, value);
    int64_t at = row * kColumns + counts[row];
    counts[row] += __builtin_popcount(mask);
    for (; mask; mask &= mask - 1, at++) {
      const int lane = __builtin_ctz(mask);
      values[at] = lanes[lane];
      columns[at] = static_cast<int32_t>(column + lane);
    }
  }

  /** Ends a stretch of columns. */
  void flush() const {
    int64_t sum = 0;
    for (int64_t row = 0; row < rows; row++) {
      found.values.insert(found.values.end(), values + row * kColumns, values + row * kColumns + counts[row]);
      found.columns.insert(found.columns.end(), columns + row * kColumns, columns + row * kColumns + counts[row]);
      sum += counts[row];
    }
    found.counts.insert(found.counts.end(), counts, counts + rows);
    std::fill(counts, counts + rows, 0);
    total += sum;
  }
};

/** Lays the entries of all groups, of `groupRows` rows each, out row by row; `starts` are zero. */
inline void layOut(const std::vector<Found>& found, int64_t rows, int64_t groupRows, int32_t* starts, float* values,
                   int32_t* indices) {
  const auto sizeOf = [&](int64_t group) { return std::min(groupRows, rows - group * groupRows); };
  for (size_t group = 0; group < found.size(); group++) {
    int32_t* const own = starts + 1 + group * groupRows;
    const int64_t size = sizeOf(group);
    for (size_t n = 0; n < found[group].counts.size(); n++) own[n % size] += found[group].counts[n];
  }
  for (int64_t row = 0; row < rows; row++) starts[row + 1] += starts[row];
  parallel(static_cast<int64_t>(found.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; group++) {
      const Found& from = found[group];
      const int64_t size = sizeOf(group);
      const int32_t* const first = starts + group * groupRows;
      std::vector<int32_t> next(first, first + size);
      int64_t at = 0;
      for (size_t n = 0; n < from.counts.size(); n++) {
        const int32_t count = from.counts[n], to = next[n % size];
        std::copy(from.values.data() + at, from.values.data() + at + count, values + to);
        std::copy(from.columns.data() + at, from.columns.data() + at + count, indices + to);
        next[n % size] += count;
        at += count;
      }
    }
  });
}

}  // namespace pipeline
