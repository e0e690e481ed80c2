/**
 * Gradients of a sparse autoencoder's weights and their update, latent by latent, in one pass over weights and moments.
 *
 *   gDec_i = Σ z_rj g_r     gEnc_i = Σ dz_rj x_r     gb_i = Σ dz_rj          over the entries (r, j) that use latent i
 *   gbDec  = Σ_r g_r − Σ_i gb_i wEnc_i                                        (the second where x has b_dec taken off)
 *
 * The batch's entries are sorted by latent once; a latent's gradient rows are summed in cache and used at once: gDec loses its
 * part along wDec_i (`project`), all are multiplied by the clipping factor, the optimiser moves the weights, and wDec_i is
 * brought to norm 1 (`unit`). The optimiser is the dense one: a latent that no row used has gradient zero, so its moments
 * decay and its weights still move. With `lazy` such latents are left alone instead. Weights and moments change in place.
 *
 * The optimisers are in sae_rows.h. A second set of entries (AuxK) has its own g and levels. wEnc here is [latents, width];
 * its bfloat16 form (bf16.h) is renewed with it.
 */
#include <algorithm>
#include <cmath>
#include <memory>

#include "lanes.h"
#include "op.h"
#include "packed.h"
#include "sae_rows.h"
#include "sae_sums.h"
#include "sums.h"
#include "threads.h"

#if PIPELINE_X86
#include "bf16.h"
#endif

namespace pipeline {
namespace {

/** Latents a piece of work: one panel of the packed encoder. */
constexpr int64_t kPiece = 32;

struct UpdateArgs {
  Entries sets[2];
  DenseSums dense[2];
  std::vector<int32_t> starts[2];  // [latents + 1]
  std::vector<Entry> sorted[2];
  const float* x;
  Slot wEnc, bEnc, wDec;
  uint16_t* packed;  // null for none
  int64_t latents, inputs, outputs;
  Rule rule;
  bool project, unit, lazy, centred, dry;
  float* squares;   // [latents] Σ of squared gradients
  float* shifts;    // [pieces][inputs] Σ gb_i wEnc_i
};

template <int W>
PIPELINE_INLINE void updatePieces(const UpdateArgs& args, int64_t begin, int64_t end) {
  const int64_t inputs = args.inputs, outputs = args.outputs;
  float* const gEnc = scratch(inputs + outputs + 64);
  float* const gDec = gEnc + (inputs + 31) / 32 * 32;
  for (int64_t piece = begin; piece < end; piece++) {
    float* const shift = args.shifts ? args.shifts + piece * inputs : nullptr;
    if (shift) std::fill(shift, shift + inputs, 0.f);
    for (int64_t latent = piece * kPiece; latent < std::min((piece + 1) * kPiece, args.latents); latent++) {
      const Slot enc = args.wEnc.at(latent * inputs), dec = args.wDec.at(latent * outputs);
      std::fill(gEnc, gEnc + inputs, 0.f);
      std::fill(gDec, gDec + outputs, 0.f);
      float gBias = 0;
      int64_t count = 0;
      for (int s = 0; s < 2; s++) {
        if (args.starts[s].empty()) continue;
        const Entry* const entries = args.sorted[s].data();
        const float* const g = args.sets[s].rowsOf(latent, outputs);
        int64_t n = args.starts[s][latent];
        const int64_t stop = args.starts[s][latent + 1], all = static_cast<int64_t>(args.sorted[s].size());
        count += stop - n;
        if (args.dense[s].floats) {
          if (n == stop) continue;
          const float* const sums = args.dense[s].of(latent);
          addScaled<W>(sums, 1, gDec, outputs);
          addScaled<W>(sums + outputs, 1, gEnc, inputs);
          for (; n < stop; n++) gBias += entries[n].dz;
          continue;
        }
        gBias += addEntries<W>(entries, n, stop, all, g, args.x, outputs, inputs, gDec, gEnc);
      }
      if (count > 0 && args.project) {
        const float square = product<W>(dec.weight, dec.weight, outputs);
        if (square > 0) addScaled<W>(dec.weight, -product<W>(gDec, dec.weight, outputs) / square, gDec, outputs);
      }
      args.squares[latent] =
          count > 0 ? product<W>(gDec, gDec, outputs) + product<W>(gEnc, gEnc, inputs) + gBias * gBias : 0.f;
      if (shift && gBias != 0) addScaled<W>(enc.weight, gBias, shift, inputs);
      if (args.dry || (args.lazy && count == 0)) continue;
      moveRow<W>(args.rule, dec, gDec, outputs);
      moveRow<W>(args.rule, enc, gEnc, inputs);
      moveRow<W>(args.rule, args.bEnc.at(latent), &gBias, 1);
      if (args.unit) {
        const float square = product<W>(dec.weight, dec.weight, outputs);
        const float factor = square > 0 ? 1 / std::sqrt(square) : 0;
        for (int64_t i = 0; i < outputs; i++) dec.weight[i] *= factor;
      }
#if PIPELINE_X86
      if (args.packed) {
        uint16_t* const to = args.packed + piece * blocksOf(inputs) * kStep + latent % 32 / 16 * (kStep / 2) + latent % 16 * 2;
        for (int64_t i = 0; i < inputs; i++) to[i / kBlock * kStep + i % kBlock / 2 * kBlock + i % 2] = bfloat16Of(enc.weight[i]);
      }
#endif
    }
  }
}
PIPELINE_KERNEL(update, updatePieces, UpdateArgs)

/** Takes all rows of a matrix from double sums, a range of columns at a time, so that the order is always the same. */
void takeColumns(const float* rows, int64_t count, int64_t width, double* sums) {
  parallel(width, 64, [&](int64_t begin, int64_t end) {
    for (int64_t row = 0; row < count; row++)
      for (int64_t i = begin; i < end; i++) sums[i] -= rows[row * width + i];
  });
}

struct SparseUpdate {
  bool signum, project, unit, lazy, centred, dry, auxBias;
  explicit SparseUpdate(Attributes& attributes)
      : signum(attributes.flag("signum")),
        project(attributes.flag("project")),
        unit(attributes.flag("unit")),
        lazy(attributes.flag("lazy")),
        centred(attributes.flag("centred")),
        dry(attributes.flag("dry")),
        auxBias(attributes.flag("aux_bias")) {}

  static Slot slot(const Tensor& weight, const Tensor& first, const Tensor& second) {
    require(first.size() == weight.size() && second.size() == weight.size(), "sparseUpdate: moments must have their weight's shape.");
    return {weight.floats(), first.floats(), second.floats()};
  }

  static Entries entries(const Tensor& values, const Tensor& indices, const Tensor& dz, const Tensor& g,
                         const Tensor& ends, int64_t rows, int64_t latents, int64_t width) {
    const int64_t levels = std::max<int64_t>(1, ends.size());
    require(values.rank() == 2 && indices.size() == values.size() && dz.size() == values.size() && values.dim(0) == rows,
            "sparseUpdate: values, indices and gradients of latents must all be [rows, k].");
    require(g.size() == levels * rows * width, "sparseUpdate: the gradient of the reconstruction must be [rows, width].");
    const int32_t* const all = indices.ints();
    bool inside = true;
    for (int64_t i = 0, size = indices.size(); i < size; i++) inside &= all[i] >= 0 && all[i] < latents;
    require(inside, "sparseUpdate: an index is outside the latents.");
    return {values.floats(), dz.floats(), g.floats(), all, rows, values.dim(1), ends.ints(), levels};
  }

  void compute(const Call& call) const {
    const Tensor x = call.input(0), values = call.input(1), indices = call.input(2), dz = call.input(3), g = call.input(4);
    const Tensor auxValues = call.input(5), auxIndices = call.input(6), auxDz = call.input(7), auxG = call.input(8);
    const Tensor wEnc = call.input(9), wEnc1 = call.input(10), wEnc2 = call.input(11);
    const Tensor bEnc = call.input(12), bEnc1 = call.input(13), bEnc2 = call.input(14);
    const Tensor wDec = call.input(15), wDec1 = call.input(16), wDec2 = call.input(17);
    const Tensor bDec = call.input(18), bDec1 = call.input(19), bDec2 = call.input(20);
    const Tensor packed = call.input(21), numbers = call.input(22), ends = call.input(23), auxEnds = call.input(24);
    require(wEnc.rank() == 2 && wDec.rank() == 2 && x.rank() == 2 && wDec.dim(0) == wEnc.dim(0) && x.dim(1) == wEnc.dim(1),
            "sparseUpdate: x must be [rows, width], wEnc [latents, width] and wDec [latents, outputs].");
    const int64_t rows = x.dim(0), inputs = x.dim(1), latents = wEnc.dim(0), outputs = wDec.dim(1);
    require(bEnc.size() == latents && bDec.size() == outputs, "sparseUpdate: the biases do not fit the weights.");
    require(!centred || inputs == outputs, "sparseUpdate: a decoder bias on the input needs inputs as wide as outputs.");
    require(numbers.size() == 8, "sparseUpdate: the rule must have eight numbers.");
    UpdateArgs args;
    args.sets[0] = entries(values, indices, dz, g, ends, rows, latents, outputs);
    sortEntries(args.sets[0], latents, args.starts[0], args.sorted[0]);
    if (auxValues.size() > 0) {
      args.sets[1] = entries(auxValues, auxIndices, auxDz, auxG, auxEnds, rows, latents, outputs);
      sortEntries(args.sets[1], latents, args.starts[1], args.sorted[1]);
    }
    args.x = x.floats();
    args.wEnc = slot(wEnc, wEnc1, wEnc2);
    args.bEnc = slot(bEnc, bEnc1, bEnc2);
    args.wDec = slot(wDec, wDec1, wDec2);
    args.packed = nullptr;
#if PIPELINE_X86
    if (packed.size() > 0) {
      require(packed.size() == packedValues(inputs, latents) / 2, "sparseUpdate: the packed encoder does not belong to wEnc.");
      args.packed = reinterpret_cast<uint16_t*>(packed.ints());
    }
#endif
    args.latents = latents;
    args.inputs = inputs;
    args.outputs = outputs;
    const float* n = numbers.floats();
    args.rule = {n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], signum};
    args.project = project;
    args.unit = unit;
    args.lazy = lazy;
    args.dry = dry;
    const int64_t pieces = (latents + kPiece - 1) / kPiece;
    std::vector<float> squares(latents), shifts(centred ? pieces * inputs : 0);
    args.squares = squares.data();
    args.shifts = centred ? shifts.data() : nullptr;
    std::vector<float> gradient(outputs);
    columnSums(g.floats(), rows, outputs, gradient.data());
    if (auxBias && auxValues.size() > 0) {
      std::vector<float> more(outputs);
      columnSums(auxG.floats(), args.sets[1].levels * rows, outputs, more.data());
      for (int64_t i = 0; i < outputs; i++) gradient[i] += more[i];
    }
    const std::unique_ptr<LargeMemory> sums[2] = {sumAhead(args, 0), sumAhead(args, 1)};
    parallel(pieces, 1, [&](int64_t begin, int64_t end) { update(args, begin, end); });
    if (centred) {
      std::vector<double> whole(gradient.begin(), gradient.end());
      takeColumns(shifts.data(), pieces, inputs, whole.data());
      gradient.assign(whole.begin(), whole.end());
    }
    double total = 0;
    for (float square : squares) total += square;
    for (float value : gradient) total += static_cast<double>(value) * value;
    if (!dry) finishBias(args.rule, slot(bDec, bDec1, bDec2), gradient);
    const Tensor norm = call.floats(0, {}), counts = call.ints(1, {latents});
    norm.floats()[0] = static_cast<float>(std::sqrt(total));
    for (int64_t i = 0; i < latents; i++) counts.ints()[i] = args.starts[0][i + 1] - args.starts[0][i];
  }

  /** Sums a set beforehand where it is dense, in memory that it returns. */
  static std::unique_ptr<LargeMemory> sumAhead(UpdateArgs& args, int set) {
    const std::vector<int32_t>& starts = args.starts[set];
    if (starts.empty()) return nullptr;
    DenseSums& dense = args.dense[set];
    dense.places.assign(args.latents, 0);
    for (int64_t latent = 0; latent < args.latents; latent++) {
      if (starts[latent + 1] == starts[latent]) continue;
      dense.places[latent] = static_cast<int32_t>(dense.latents.size());
      dense.latents.push_back(static_cast<int32_t>(latent));
    }
    const int64_t used = static_cast<int64_t>(dense.latents.size());
    if (used == 0 || starts[args.latents] < kDenseEntries * used) return nullptr;
    dense.width = args.inputs + args.outputs;
    auto memory = std::make_unique<LargeMemory>(static_cast<size_t>(used * dense.width) * 4);
    dense.floats = static_cast<float*>(memory->data());
    const DenseArgs all{args.sets[set], args.starts[set], args.sorted[set].data(), dense, args.x, args.inputs, args.outputs};
    parallel((used + kGroup - 1) / kGroup, 1, [&](int64_t begin, int64_t end) { sumDense(all, begin, end); });
    return memory;
  }

  static void finishBias(const Rule& rule, const Slot& bias, const std::vector<float>& gradient) {
    moveRow<4>(rule, bias, gradient.data(), static_cast<int64_t>(gradient.size()));
  }
};
PIPELINE_OP(SparseUpdate, "PipelineSparseUpdate",
            {"signum: bool", "project: bool", "unit: bool", "lazy: bool", "centred: bool", "dry: bool",
             "aux_bias: bool"},
            {"x: float", "values: float", "indices: int32", "dz: float", "g: float", "aux_values: float",
             "aux_indices: int32", "aux_dz: float", "aux_g: float", "w_enc: float", "w_enc1: float", "w_enc2: float",
             "b_enc: float", "b_enc1: float", "b_enc2: float", "w_dec: float", "w_dec1: float", "w_dec2: float",
             "b_dec: float", "b_dec1: float", "b_dec2: float", "packed: int32", "rule: float",
             "ends: int32", "aux_ends: int32"},
            {"norm: float", "counts: int32"});

}  // namespace
}  // namespace pipeline
