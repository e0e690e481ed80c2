/** Fisher and Yates's shuffle by the stream of `Random` (core/random.ts), xoshiro128**: the same order as there. */
#include <cmath>
#include <utility>

#include "host.h"

namespace pipeline {
namespace {

uint32_t rotate(uint32_t x, int k) { return (x << k) | (x >> (32 - k)); }

uint32_t bits(uint32_t* s) {
  const uint32_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 9;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate(s[3], 11);
  return result;
}

/** (items, state [4]): the items in random order, in place; the state goes on. */
void shuffleWords(const Arguments& given) {
  const auto items = given.words(0), state = given.words(1);
  require(state.size == 4, "The state of a stream has four words.");
  for (int64_t i = items.size - 1; i > 0; i--) {
    const double high = bits(state.data);
    const double uniform = (high * 2097152 + (bits(state.data) >> 11)) / 9007199254740992;
    std::swap(items.data[i], items.data[static_cast<int64_t>(uniform * static_cast<double>(i + 1))]);
  }
}
PIPELINE_HOST(shuffleWords);

}  // namespace
}  // namespace pipeline
