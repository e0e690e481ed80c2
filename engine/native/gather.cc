/** Rows in another order: to[i] = from[order[i]], fetched ahead of their turn, since they lie anywhere in memory; and rows beside others. */
#include <cstring>

#include "host.h"
#include "threads.h"

namespace pipeline {
namespace {

/** Bytes that are on their way at once. */
constexpr int64_t kAhead = 8192;
constexpr int64_t kLine = 64;
/** Bytes of rows that a thread takes at once. */
constexpr int64_t kPiece = 1 << 17;

/** (from, width, order, to): rows of `width` floats of `from` by number into `to`, one after the other. */
void gatherRows(const Arguments& given) {
  const auto from = given.floats(0), to = given.floats(3);
  const auto order = given.words(2);
  const int64_t width = given.integer(1), rows = width > 0 ? from.size / width : 0, bytes = width * 4;
  require(width > 0 && to.size == order.size * width, "There is no place for these rows.");
  for (int64_t i = 0; i < order.size; i++)
    if (order.data[i] >= rows)
      throw OpError("Row " + std::to_string(order.data[i]) + " was asked for of " + std::to_string(rows) + ".");
  const int64_t ahead = 1 + kAhead / bytes;
  parallel(order.size, 1 + kPiece / bytes, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      if (i + ahead < end) {
        const char* const next = reinterpret_cast<const char*>(from.data + order.data[i + ahead] * width);
        for (int64_t at = 0; at < bytes; at += kLine) __builtin_prefetch(next + at);
      }
      std::memcpy(to.data + i * width, from.data + order.data[i] * width, bytes);
    }
  });
}
PIPELINE_HOST(gatherRows);

/** (from [rows, width], width, to [rows, columns], columns, column): the rows into columns `column` to `column + width`. */
void placeColumns(const Arguments& given) {
  const auto from = given.floats(0), to = given.floats(2);
  const int64_t width = given.integer(1), columns = given.integer(3), column = given.integer(4);
  require(width > 0 && column >= 0 && column + width <= columns && from.size % width == 0 &&
              to.size == from.size / width * columns,
          "There is no place for these columns.");
  for (int64_t row = 0; row < from.size / width; row++)
    std::memcpy(to.data + row * columns + column, from.data + row * width, width * 4);
}
PIPELINE_HOST(placeColumns);

}  // namespace
}  // namespace pipeline
