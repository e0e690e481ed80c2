/**
 * float32 to float16 (rounded to nearest, ties to even) and back, and what that changed. By bits, so that every instruction
 * set, and the plain version in TypeScript, gives the same.
 */
#include "exact.h"

PIPELINE_UNFUSED

#include <algorithm>
#include <cmath>
#include <cstring>

#include "host.h"
#include "threads.h"

namespace pipeline {
namespace {

constexpr int64_t kPiece = 1 << 15;
constexpr int64_t kStrip = 64;

PIPELINE_INLINE uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

PIPELINE_INLINE float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

PIPELINE_INLINE uint16_t halfOf(float value) {
  const uint32_t word = bitsOf(value), size = word & 0x7fffffff;
  const uint32_t normal = (size + 0xfff + ((size >> 13) & 1) - 0x38000000) >> 13;
  // Below the smallest normal half: adding 0.5 puts the bits that stay at the end of the mantissa, rounded.
  const uint32_t small = bitsOf(floatOf(size) + 0.5f) - 0x3f000000;
  const uint32_t large = size > 0x7f800000 ? 0x7e00 : 0x7c00;
  const uint32_t half = size < 0x38800000 ? small : size < 0x47800000 ? normal : large;
  return static_cast<uint16_t>(((word >> 16) & 0x8000) | half);
}

PIPELINE_INLINE float floatOfHalf(uint16_t half) {
  const uint32_t size = half & 0x7fffu, sign = (half & 0x8000u) << 16;
  const uint32_t normal = (size << 13) + 0x38000000;
  const uint32_t large = size == 0x7c00 ? 0x7f800000 : 0x7fc00000;
  const uint32_t small = bitsOf(static_cast<float>(static_cast<int32_t>(size)) * 0x1p-24f);
  return floatOf(sign | (size < 0x400 ? small : size < 0x7c00 ? normal : large));
}

struct HalfArgs {
  float* floats;
  uint16_t* halves;
};

template <int W>
PIPELINE_INLINE void toHalvesOf(const HalfArgs& args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) args.halves[i] = halfOf(args.floats[i]);
}
PIPELINE_KERNEL(roundFloats, toHalvesOf, HalfArgs)

template <int W>
PIPELINE_INLINE void fromHalvesOf(const HalfArgs& args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) args.floats[i] = floatOfHalf(args.halves[i]);
}
PIPELINE_KERNEL(widenHalves, fromHalvesOf, HalfArgs)

/** (values, bits): the halves nearest to the values. */
void toHalves(const Arguments& given) {
  const auto values = given.floats(0);
  const auto bits = given.shorts(1);
  require(values.size == bits.size, "There must be as many halves as floats.");
  const HalfArgs args{values.data, bits.data};
  parallel(values.size, kPiece, [&](int64_t begin, int64_t end) { roundFloats(args, begin, end); });
}
PIPELINE_HOST(toHalves);

/** (bits, values): the numbers of halves. */
void fromHalves(const Arguments& given) {
  const auto bits = given.shorts(0);
  const auto values = given.floats(1);
  require(values.size == bits.size, "There must be as many halves as floats.");
  const HalfArgs args{values.data, bits.data};
  parallel(values.size, kPiece, [&](int64_t begin, int64_t end) { widenHalves(args, begin, end); });
}
PIPELINE_HOST(fromHalves);

struct RoundingArgs {
  const float* computed;
  const float* stored;
  int64_t rows, width;
  double *error, *squares, *largest;
};

template <int W>
PIPELINE_INLINE void roundingStrip(const RoundingArgs& args, int64_t begin, int64_t end) {
  const KeepSmall exact;
  double error[kStrip] = {}, squares[kStrip] = {}, largest[kStrip] = {};
  for (int64_t row = 0; row < args.rows; row++) {
    const float* const computed = args.computed + row * args.width + begin;
    const float* const stored = args.stored + row * args.width + begin;
    for (int64_t i = 0; i < end - begin; i++) {
      const double x = computed[i], difference = std::fabs(stored[i] - x);
      error[i] += squareOf(difference);
      squares[i] += squareOf(x);
      largest[i] = difference > largest[i] ? difference : largest[i];
    }
  }
  std::copy(error, error + (end - begin), args.error + begin);
  std::copy(squares, squares + (end - begin), args.squares + begin);
  std::copy(largest, largest + (end - begin), args.largest + begin);
}
PIPELINE_KERNEL(roundingOf, roundingStrip, RoundingArgs)

/** (computed, stored [rows, width], error, squares, largest [width]): by dimension Σ(stored − computed)², Σ computed², max |stored − computed|. */
void rounding(const Arguments& given) {
  const auto computed = given.floats(0), stored = given.floats(1);
  const auto error = given.doubles(2), squares = given.doubles(3), largest = given.doubles(4);
  const int64_t width = error.size;
  require(width > 0 && squares.size == width && largest.size == width, "The sums have different sizes.");
  require(computed.size == stored.size && computed.size % width == 0, "The rows do not have this width.");
  const RoundingArgs args{computed.data, stored.data, computed.size / width, width, error.data, squares.data, largest.data};
  parallel(width, kStrip, [&](int64_t begin, int64_t end) { roundingOf(args, begin, end); });
}
PIPELINE_HOST(rounding);

}  // namespace
}  // namespace pipeline
