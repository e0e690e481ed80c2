/** Entries of a sparse [rows, latents] matrix, row by row: starts [rows + 1], and a latent for each entry. */
#pragma once
#include <string>

#include "op.h"

namespace pipeline {

/** Throws unless starts ascend from 0 to `count` and every index is one of the latents. */
inline void requireEntries(const char* op, const int32_t* starts, int64_t rows, const int32_t* indices, int64_t count,
                           int64_t latents) {
  bool fits = starts[0] == 0 && starts[rows] == count;
  for (int64_t row = 0; row < rows; row++) fits &= starts[row] <= starts[row + 1];
  require(fits, std::string(op) + ": starts must ascend from 0 to the number of entries.");
  for (int64_t n = 0; n < count; n++) fits &= indices[n] >= 0 && indices[n] < latents;
  require(fits, std::string(op) + ": an index is outside the " + std::to_string(latents) + " latents.");
}

}  // namespace pipeline
