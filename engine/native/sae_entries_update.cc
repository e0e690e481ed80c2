/**
 * Gradients of a sparse autoencoder's weights from entries (sae_entries.h), and their update, latent by latent:
 *
 *   gDec_i = Σ z_n g_r (+ Σ z'_n g'_r) + s_i wDec_i     gEnc_i = Σ dz_n x_r + a_i Σ_r x_r     over the entries n that use latent i
 *   gb_i   = β_i, or Σ dz_n + a_i rows                 gbDec = Σ_r g_r (+ Σ_r g'_r) − Σ_i (Σ dz_n + a_i rows) wEnc_i
 *
 * The last part of gbDec is there where x has b_dec taken off (`centred`). s weighs a loss's share in the decoder's norms, a
 * is the derivative that all rows have alike, β is the bias's gradient where it is not that of the product, z' and g' are a
 * second reconstruction from the same entries: each may be left out.
 *
 * gDec loses its part along wDec_i (`project`), then the optimiser moves the weights (sae_rows.h) and wDec_i is brought to norm
 * 1 (`unit`), in place. Where gradients are clipped they must be known first: they are kept in memory between two passes.
 */
#include <algorithm>
#include <cmath>

#include "bf16.h"
#include "op.h"
#include "packed.h"
#include "sae_entries.h"
#include "sae_rows.h"
#include "sums.h"
#include "threads.h"

namespace pipeline {
namespace {

/** Latents a piece of work: one panel of the packed encoder. */
constexpr int64_t kPiece = 32;

/** What entries multiplied and what that was decoded to: [entries], [rows, outputs]. Null for none. */
struct Decoded {
  const float *values, *g;
};

/** Entries by latent. */
struct Sorted {
  std::vector<int32_t> starts;  // [latents + 1]
  std::vector<int32_t> rows;
  std::vector<int32_t> places;  // among the entries as they came
};

struct UpdateArgs {
  const float* x;
  const float* dz;
  Decoded decoded[2];
  Sorted sorted;
  Slot wEnc, bEnc, wDec;
  const float *biasGradient, *allRows, *decoderScale;  // [latents], null for none
  const float* sumOfRows;                              // [inputs], for allRows
  uint16_t* packed;                                    // null for none
  int64_t rows, latents, inputs, outputs;
  Rule rule;
  bool project, unit;
  float* gradients;  // [latents][outputs + inputs + 1] where they are clipped, else null
  float* squares;    // [latents] Σ of squared gradients
  float* shifts;     // [pieces][inputs] Σ gb_i wEnc_i, null unless centred
};

/** Sorts entries by latent, rows ascending. Those that change nothing are left out. */
void sortEntries(const UpdateArgs& args, const int32_t* starts, const int32_t* indices, Sorted& sorted) {
  const int64_t count = starts[args.rows];
  const auto counts = [&](int64_t n) {
    return args.dz[n] != 0 || args.decoded[0].values[n] != 0 || (args.decoded[1].values && args.decoded[1].values[n] != 0);
  };
  sorted.starts.assign(args.latents + 1, 0);
  for (int64_t n = 0; n < count; n++)
    if (counts(n)) sorted.starts[indices[n] + 1]++;
  for (int64_t i = 0; i < args.latents; i++) sorted.starts[i + 1] += sorted.starts[i];
  sorted.rows.resize(sorted.starts[args.latents]);
  sorted.places.resize(sorted.starts[args.latents]);
  std::vector<int32_t> next(sorted.starts.begin(), sorted.starts.end() - 1);
  for (int64_t row = 0; row < args.rows; row++)
    for (int32_t n = starts[row]; n < starts[row + 1]; n++) {
      if (!counts(n)) continue;
      const int32_t to = next[indices[n]]++;
      sorted.rows[to] = static_cast<int32_t>(row);
      sorted.places[to] = n;
    }
}

/** to += Σ a[place] rows[row] over the sorted entries [from, stop). */
template <int W>
PIPELINE_INLINE void addEntries(const Sorted& sorted, int64_t from, int64_t stop, const float* a, const float* rows,
                                int64_t size, float* to) {
  const int64_t all = static_cast<int64_t>(sorted.rows.size());
  const float* chosen[4];
  float factors[4];
  for (int64_t n = from; n < stop; n += 4) {
    const int64_t count = std::min<int64_t>(4, stop - n);
    // Latents follow one another in memory, so the entries ahead belong to this piece's next rows.
    for (int64_t ahead = n + 4; ahead < std::min(n + 4 + count, all); ahead++) foresee(rows + sorted.rows[ahead] * size, size);
    for (int64_t j = 0; j < count; j++) {
      chosen[j] = rows + sorted.rows[n + j] * size;
      factors[j] = a[sorted.places[n + j]];
    }
    if (count == 4) addScaledFour<W>(chosen, factors, to, size);
    else
      for (int64_t j = 0; j < count; j++) addScaled<W>(chosen[j], factors[j], to, size);
  }
}

/** The gradients of one latent, and their squares; `gradient` is decoder row, encoder row, bias. */
template <int W>
PIPELINE_INLINE void differentiate(const UpdateArgs& args, int64_t latent, float* gDec, float* gEnc, float* gBias, float* shift) {
  const int64_t from = args.sorted.starts[latent], stop = args.sorted.starts[latent + 1];
  const float* const dec = args.wDec.weight + latent * args.outputs;
  std::fill(gDec, gDec + args.outputs, 0.f);
  std::fill(gEnc, gEnc + args.inputs, 0.f);
  for (const Decoded& decoded : args.decoded)
    if (decoded.values) addEntries<W>(args.sorted, from, stop, decoded.values, decoded.g, args.outputs, gDec);
  addEntries<W>(args.sorted, from, stop, args.dz, args.x, args.inputs, gEnc);
  float sum = 0;
  for (int64_t n = from; n < stop; n++) sum += args.dz[args.sorted.places[n]];
  if (args.allRows && args.allRows[latent] != 0) {
    addScaled<W>(args.sumOfRows, args.allRows[latent], gEnc, args.inputs);
    sum += args.allRows[latent] * static_cast<float>(args.rows);
  }
  if (args.decoderScale && args.decoderScale[latent] != 0) addScaled<W>(dec, args.decoderScale[latent], gDec, args.outputs);
  if (args.project) {
    const float square = product<W>(dec, dec, args.outputs);
    if (square > 0) addScaled<W>(dec, -product<W>(gDec, dec, args.outputs) / square, gDec, args.outputs);
  }
  *gBias = args.biasGradient ? args.biasGradient[latent] : sum;
  args.squares[latent] =
      product<W>(gDec, gDec, args.outputs) + product<W>(gEnc, gEnc, args.inputs) + *gBias * *gBias;
  if (shift && sum != 0) addScaled<W>(args.wEnc.weight + latent * args.inputs, sum, shift, args.inputs);
}

template <int W>
PIPELINE_INLINE void moveLatent(const UpdateArgs& args, int64_t latent, const float* gDec, const float* gEnc, const float* gBias) {
  const Slot enc = args.wEnc.at(latent * args.inputs), dec = args.wDec.at(latent * args.outputs);
  moveRow<W>(args.rule, dec, gDec, args.outputs);
  moveRow<W>(args.rule, enc, gEnc, args.inputs);
  moveRow<W>(args.rule, args.bEnc.at(latent), gBias, 1);
  if (args.unit) {
    const float square = product<W>(dec.weight, dec.weight, args.outputs);
    const float factor = square > 0 ? 1 / std::sqrt(square) : 0;
    for (int64_t i = 0; i < args.outputs; i++) dec.weight[i] *= factor;
  }
#if PIPELINE_X86
  if (args.packed) {
    uint16_t* const to =
        args.packed + latent / 32 * blocksOf(args.inputs) * kStep + latent % 32 / 16 * (kStep / 2) + latent % 16 * 2;
    for (int64_t i = 0; i < args.inputs; i++) to[i / kBlock * kStep + i % kBlock / 2 * kBlock + i % 2] = bfloat16Of(enc.weight[i]);
  }
#endif
}

/** Rows of a latent's gradient begin on vectors' bounds. */
inline int64_t roomOf(int64_t size) { return (size + 15) / 16 * 16; }
inline int64_t gradientRoom(const UpdateArgs& args) { return roomOf(args.outputs) + roomOf(args.inputs) + 16; }

/** Differentiates the latents of pieces, and moves them at once unless gradients are kept. */
template <int W>
PIPELINE_INLINE void differentiatePieces(const UpdateArgs& args, int64_t begin, int64_t end) {
  const int64_t room = gradientRoom(args);
  float* const own = args.gradients ? nullptr : scratch(room);
  for (int64_t piece = begin; piece < end; piece++) {
    float* const shift = args.shifts ? args.shifts + piece * args.inputs : nullptr;
    if (shift) std::fill(shift, shift + args.inputs, 0.f);
    for (int64_t latent = piece * kPiece; latent < std::min((piece + 1) * kPiece, args.latents); latent++) {
      float* const gDec = own ? own : args.gradients + latent * room;
      float* const gEnc = gDec + roomOf(args.outputs);
      float* const gBias = gEnc + roomOf(args.inputs);
      differentiate<W>(args, latent, gDec, gEnc, gBias, shift);
      if (own) moveLatent<W>(args, latent, gDec, gEnc, gBias);
    }
  }
}
PIPELINE_KERNEL(differentiateAll, differentiatePieces, UpdateArgs)

/** Moves the latents of pieces by the gradients that were kept. */
template <int W>
PIPELINE_INLINE void movePieces(const UpdateArgs& args, int64_t begin, int64_t end) {
  const int64_t room = gradientRoom(args);
  for (int64_t latent = begin * kPiece; latent < std::min(end * kPiece, args.latents); latent++) {
    const float* const gDec = args.gradients + latent * room;
    const float* const gEnc = gDec + roomOf(args.outputs);
    moveLatent<W>(args, latent, gDec, gEnc, gEnc + roomOf(args.inputs));
  }
}
PIPELINE_KERNEL(moveAll, movePieces, UpdateArgs)

/** sums += sign · Σ of all rows of a matrix, in double precision and in order of rows. */
void addColumns(const float* rows, int64_t count, int64_t width, double sign, std::vector<double>& sums) {
  parallel(width, 64, [&](int64_t begin, int64_t end) {
    for (int64_t row = 0; row < count; row++)
      for (int64_t i = begin; i < end; i++) sums[i] += sign * rows[row * width + i];
  });
}

struct EntriesUpdate {
  bool signum, project, unit, centred;
  explicit EntriesUpdate(Attributes& attributes)
      : signum(attributes.flag("signum")),
        project(attributes.flag("project")),
        unit(attributes.flag("unit")),
        centred(attributes.flag("centred")) {}

  static Slot slot(const Tensor& weight, const Tensor& first, const Tensor& second) {
    require(first.size() == weight.size() && second.size() == weight.size(),
            "entriesUpdate: moments must have their weight's shape.");
    return {weight.floats(), first.floats(), second.floats()};
  }

  static const float* perLatent(const Tensor& values, int64_t latents) {
    require(values.size() == 0 || values.size() == latents, "entriesUpdate: what is given by latent must have one number for each.");
    return values.size() ? values.floats() : nullptr;
  }

  void compute(const Call& call) const {
    const Tensor x = call.input(0), starts = call.input(1), indices = call.input(2), dz = call.input(3);
    const Tensor values = call.input(4), g = call.input(5), moreValues = call.input(6), moreG = call.input(7);
    const Tensor wEnc = call.input(8), wEnc1 = call.input(9), wEnc2 = call.input(10);
    const Tensor bEnc = call.input(11), bEnc1 = call.input(12), bEnc2 = call.input(13);
    const Tensor wDec = call.input(14), wDec1 = call.input(15), wDec2 = call.input(16);
    const Tensor bDec = call.input(17), bDec1 = call.input(18), bDec2 = call.input(19);
    const Tensor biasGradient = call.input(20), allRows = call.input(21), decoderScale = call.input(22);
    const Tensor packed = call.input(23), numbers = call.input(24);
    require(wEnc.rank() == 2 && wDec.rank() == 2 && x.rank() == 2 && wDec.dim(0) == wEnc.dim(0) && x.dim(1) == wEnc.dim(1),
            "entriesUpdate: x must be [rows, width], wEnc [latents, width] and wDec [latents, outputs].");
    const int64_t rows = x.dim(0), inputs = x.dim(1), latents = wEnc.dim(0), outputs = wDec.dim(1), count = indices.size();
    require(bEnc.size() == latents && bDec.size() == outputs, "entriesUpdate: the biases do not fit the weights.");
    require(!centred || inputs == outputs, "entriesUpdate: a decoder bias on the input needs inputs as wide as outputs.");
    require(starts.size() == rows + 1 && dz.size() == count && values.size() == count && g.size() == rows * outputs,
            "entriesUpdate: the entries and the gradient of the reconstruction must be those of x's rows.");
    require((moreValues.size() == 0 || moreValues.size() == count) && (moreG.size() == 0 || moreG.size() == rows * outputs),
            "entriesUpdate: the second reconstruction must be of the same entries.");
    require(numbers.size() == 9, "entriesUpdate: the rule must have nine numbers.");
    requireEntries("entriesUpdate", starts.ints(), rows, indices.ints(), count, latents);

    UpdateArgs args;
    args.x = x.floats();
    args.dz = dz.floats();
    args.decoded[0] = {values.floats(), g.floats()};
    args.decoded[1] = {moreG.size() ? moreValues.floats() : nullptr, moreG.size() ? moreG.floats() : nullptr};
    args.rows = rows;
    args.latents = latents;
    args.inputs = inputs;
    args.outputs = outputs;
    args.wEnc = slot(wEnc, wEnc1, wEnc2);
    args.bEnc = slot(bEnc, bEnc1, bEnc2);
    args.wDec = slot(wDec, wDec1, wDec2);
    args.biasGradient = perLatent(biasGradient, latents);
    args.allRows = perLatent(allRows, latents);
    args.decoderScale = perLatent(decoderScale, latents);
    args.packed = nullptr;
#if PIPELINE_X86
    if (packed.size() > 0) {
      require(packed.size() == packedValues(inputs, latents) / 2, "entriesUpdate: the packed encoder does not belong to wEnc.");
      args.packed = reinterpret_cast<uint16_t*>(packed.ints());
    }
#endif
    const float* n = numbers.floats();
    args.rule = {n[0], n[1], n[2], n[3], n[4], n[5], n[6], 1, signum};
    const float limit = n[7], otherSquares = n[8];
    args.project = project;
    args.unit = unit;
    sortEntries(args, starts.ints(), indices.ints(), args.sorted);

    const int64_t pieces = (latents + kPiece - 1) / kPiece;
    std::vector<float> squares(latents), shifts(centred ? pieces * inputs : 0), sumOfRows;
    if (args.allRows) {
      std::vector<double> sums(inputs, 0.0);
      addColumns(args.x, rows, inputs, 1, sums);
      sumOfRows.assign(sums.begin(), sums.end());
    }
    args.sumOfRows = sumOfRows.data();
    args.squares = squares.data();
    args.shifts = centred ? shifts.data() : nullptr;
    args.gradients = limit >= 0 ? sharedScratch(latents * gradientRoom(args)) : nullptr;
    parallel(pieces, 1, [&](int64_t begin, int64_t end) { differentiateAll(args, begin, end); });

    std::vector<float> gradient(outputs), more(outputs);
    columnSums(g.floats(), rows, outputs, gradient.data());
    if (args.decoded[1].g) {
      columnSums(args.decoded[1].g, rows, outputs, more.data());
      for (int64_t i = 0; i < outputs; i++) gradient[i] += more[i];
    }
    if (centred) {
      std::vector<double> whole(gradient.begin(), gradient.end());
      addColumns(shifts.data(), pieces, inputs, -1, whole);
      gradient.assign(whole.begin(), whole.end());
    }
    double total = otherSquares;
    for (float square : squares) total += square;
    for (float value : gradient) total += static_cast<double>(value) * value;
    const float norm = static_cast<float>(std::sqrt(total));
    if (limit >= 0) {
      args.rule.clip = std::min(1.f, limit / (norm + 1e-6f));
      parallel(pieces, 1, [&](int64_t begin, int64_t end) { moveAll(args, begin, end); });
    }
    moveBias(args.rule, slot(bDec, bDec1, bDec2), gradient);
    call.floats(0, {}).floats()[0] = norm;
    call.floats(1, {}).floats()[0] = args.rule.clip;
  }

  static void moveBias(const Rule& rule, const Slot& bias, const std::vector<float>& gradient) {
    moveRow<4>(rule, bias, gradient.data(), static_cast<int64_t>(gradient.size()));
  }
};
PIPELINE_OP(EntriesUpdate, "PipelineEntriesUpdate", {"signum: bool", "project: bool", "unit: bool", "centred: bool"},
            {"x: float", "starts: int32", "indices: int32", "dz: float", "values: float", "g: float", "more_values: float",
             "more_g: float", "w_enc: float", "w_enc1: float", "w_enc2: float", "b_enc: float", "b_enc1: float",
             "b_enc2: float", "w_dec: float", "w_dec1: float", "w_dec2: float", "b_dec: float", "b_dec1: float",
             "b_dec2: float", "bias_gradient: float", "all_rows: float", "decoder_scale: float", "packed: int32", "rule: float"},
            {"norm: float", "clip: float"});

}  // namespace
}  // namespace pipeline
