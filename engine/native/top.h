/**
 * The k largest of each row, gathered while the row passes by: a row keeps candidates above its threshold, and when its room
 * is full only the k best stay and the threshold rises to the last of them. Columns must come in ascending order; of equal
 * values the lower columns stay. Zero and below are never candidates (ReLU).
 */
#pragma once
#include <algorithm>
#include <cstdint>

#include "lanes.h"

namespace pipeline {

/** The candidates of many rows. */
struct Candidates {
  int64_t k = 0, room = 0;
  float* thresholds = nullptr;  // [rows]
  int32_t* counts = nullptr;    // [rows]
  float* values = nullptr;      // [rows][room]
  int32_t* columns = nullptr;   // [rows][room]

  /** 4-byte cells for `rows` rows. */
  static int64_t cells(int64_t rows, int64_t k) { return rows * (2 + 2 * roomFor(k)); }
  static int64_t roomFor(int64_t k) { return 2 * k + 48; }

  /** Empty candidates in memory of that many cells; only what is above `floor` becomes one. */
  Candidates(void* memory, int64_t rows, int64_t k, float floor = 0) : k(k), room(roomFor(k)) {
    thresholds = static_cast<float*>(memory);
    counts = reinterpret_cast<int32_t*>(thresholds + rows);
    values = reinterpret_cast<float*>(counts + rows);
    columns = reinterpret_cast<int32_t*>(values + rows * room);
    std::fill(thresholds, thresholds + rows, floor);
    std::fill(counts, counts + rows, 0);
  }

  /** Takes the values of W neighbouring columns, of which the lowest is `column`; above `columnsEnd` there are none. */
  template <int W>
  PIPELINE_INLINE void take(int64_t row, F<W> value, int64_t column, int64_t columnsEnd) const {
    uint32_t mask = maskAbove<W>(value, splatFrom<W>(thresholds + row));
    if (column + W > columnsEnd) mask &= (1u << (columnsEnd > column ? columnsEnd - column : 0)) - 1;
    if (mask) add<W>(row, value, column, mask);
  }

  template <int W>
  PIPELINE_INLINE void add(int64_t row, F<W> value, int64_t column, uint32_t mask) const {
    float lanes[W];
    store<W>(lanes, value);
    int32_t count = counts[row];
    for (; mask; mask &= mask - 1) {
      const int lane = __builtin_ctz(mask);
      values[row * room + count] = lanes[lane];
      columns[row * room + count] = static_cast<int32_t>(column + lane);
      count++;
    }
    counts[row] = count;
    if (count + 16 > room) prune(row);
  }

  /** Takes one value; values must come by ascending column. */
  void takeOne(int64_t row, float value, int32_t column) const {
    if (!(value > thresholds[row])) return;
    values[row * room + counts[row]] = value;
    columns[row * room + counts[row]++] = column;
    if (counts[row] + 16 > room) prune(row);
  }

  /** Leaves the k best of a row. */
  void prune(int64_t row) const;

  /**
   * Writes the k best of a row by ascending column. Where fewer are above zero the lowest other columns follow in order with
   * value 0, as a top-k of the ReLU has them.
   */
  void finish(int64_t row, float* outValues, int32_t* outColumns) const;
};

}  // namespace pipeline
