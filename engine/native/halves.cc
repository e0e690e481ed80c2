/**
 * float32 to float16 (rounded to nearest, ties to even) and back, and what that changed. By the processor's own conversions where
 * it has them and by bits elsewhere, so that every instruction set, and the plain version in TypeScript, gives the same.
 */
#include "exact.h"

PIPELINE_UNFUSED

#include <algorithm>
#include <cmath>
#include <cstring>

#include "halves.h"
#include "host.h"
#include "threads.h"

#if PIPELINE_X86
#include <immintrin.h>
#endif

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

void widenByBits(const uint16_t* halves, float* floats, int64_t count) {
  for (int64_t i = 0; i < count; i++) floats[i] = floatOfHalf(halves[i]);
}

void roundByBits(const float* floats, uint16_t* halves, int64_t count) {
  for (int64_t i = 0; i < count; i++) halves[i] = halfOf(floats[i]);
}

#if PIPELINE_X86
// The instructions keep what a NaN carries; by bits there is one NaN of each sign.
constexpr int kSign = static_cast<int>(0x80000000u), kNan = 0x7fc00000, kHalfSign = 0x8000, kHalfNan = 0x7e00;

PIPELINE_AVX512 void widen16(const uint16_t* halves, float* floats, int64_t count) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m512 value = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves + i)));
    const __m512i bits = _mm512_castps_si512(value);
    const __m512i nan = _mm512_or_si512(_mm512_and_si512(bits, _mm512_set1_epi32(kSign)), _mm512_set1_epi32(kNan));
    const __mmask16 isNan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
    _mm512_storeu_si512(floats + i, _mm512_mask_mov_epi32(bits, isNan, nan));
  }
  widenByBits(halves + i, floats + i, count - i);
}

PIPELINE_AVX512 void round16(const float* floats, uint16_t* halves, int64_t count) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m512 value = _mm512_loadu_ps(floats + i);
    const __m256i bits = _mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256i nan = _mm256_or_si256(_mm256_and_si256(bits, _mm256_set1_epi16(static_cast<short>(kHalfSign))), _mm256_set1_epi16(kHalfNan));
    const __mmask16 isNan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(halves + i), _mm256_mask_mov_epi16(bits, isNan, nan));
  }
  roundByBits(floats + i, halves + i, count - i);
}

PIPELINE_AVX2 void widen8(const uint16_t* halves, float* floats, int64_t count) {
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256 value = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves + i)));
    const __m256 nan = _mm256_or_ps(_mm256_and_ps(value, _mm256_castsi256_ps(_mm256_set1_epi32(kSign))), _mm256_castsi256_ps(_mm256_set1_epi32(kNan)));
    _mm256_storeu_ps(floats + i, _mm256_blendv_ps(value, nan, _mm256_cmp_ps(value, value, _CMP_UNORD_Q)));
  }
  widenByBits(halves + i, floats + i, count - i);
}

PIPELINE_AVX2 void round8(const float* floats, uint16_t* halves, int64_t count) {
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256 value = _mm256_loadu_ps(floats + i);
    const __m128i bits = _mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m128i nan = _mm_or_si128(_mm_and_si128(bits, _mm_set1_epi16(static_cast<short>(kHalfSign))), _mm_set1_epi16(kHalfNan));
    const __m256i isNan = _mm256_castps_si256(_mm256_cmp_ps(value, value, _CMP_UNORD_Q));
    const __m128i narrow = _mm_packs_epi32(_mm256_castsi256_si128(isNan), _mm256_extracti128_si256(isNan, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(halves + i), _mm_blendv_epi8(bits, nan, narrow));
  }
  roundByBits(floats + i, halves + i, count - i);
}
#endif

}  // namespace

void widenHalves(const uint16_t* halves, float* floats, int64_t count) {
#if PIPELINE_X86
  if (isa() >= Isa::avx512) return widen16(halves, floats, count);
  if (isa() >= Isa::avx2) return widen8(halves, floats, count);
#endif
  widenByBits(halves, floats, count);
}

void roundToHalves(const float* floats, uint16_t* halves, int64_t count) {
#if PIPELINE_X86
  if (isa() >= Isa::avx512) return round16(floats, halves, count);
  if (isa() >= Isa::avx2) return round8(floats, halves, count);
#endif
  roundByBits(floats, halves, count);
}

namespace {

/** (values, bits): the halves nearest to the values. */
void toHalves(const Arguments& given) {
  const auto values = given.floats(0);
  const auto bits = given.shorts(1);
  require(values.size == bits.size, "There must be as many halves as floats.");
  parallel(values.size, kPiece, [&](int64_t begin, int64_t end) {
    roundToHalves(values.data + begin, bits.data + begin, end - begin);
  });
}
PIPELINE_HOST(toHalves);

/** (bits, values): the numbers of halves. */
void fromHalves(const Arguments& given) {
  const auto bits = given.shorts(0);
  const auto values = given.floats(1);
  require(values.size == bits.size, "There must be as many halves as floats.");
  parallel(values.size, kPiece, [&](int64_t begin, int64_t end) {
    widenHalves(bits.data + begin, values.data + begin, end - begin);
  });
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
