/** Screening: choosing the kind of product, and the order of work. */
#include "screen.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#include "screen_settle.h"
#include "threads.h"

namespace pipeline {
namespace {

using namespace screening;

/** What multiplies whole numbers (screen_products.h). */
enum class Kind { none, halves8, halves16, dots8, dots16, tiles, quads };

/** What does at the instruction set in use. */
Kind kindInUse() {
#if PIPELINE_X86
  if (isa() >= Isa::amx) return Kind::tiles;
  if (isa() >= Isa::avx512vnni) return Kind::dots16;
  if (isa() == Isa::avxvnni) return Kind::dots8;
  if (isa() == Isa::avx512) return Kind::halves16;
  return isa() == Isa::avx2 ? Kind::halves8 : Kind::none;
#elif defined(__aarch64__) && defined(__linux__)
  constexpr unsigned long kDotProducts = 1ul << 20;  // HWCAP_ASIMDDP
  static const bool has = getauxval(AT_HWCAP) & kDotProducts;
  return has ? Kind::quads : Kind::none;
#elif defined(__aarch64__) && defined(__APPLE__)
  return Kind::quads;  // Apple's own have had them from the first
#else
  return Kind::none;
#endif
}

/**
 * Sums of 16 bits hold two products of a byte up to 255 and one up to 64, and those of half steps, whose norms are at most 224 and 146:
 * their product is below 2¹⁵. Norms would allow numbers in proportion, but rows have larger ones among them than weights do.
 */
Form formOf(Kind kind) {
  if (kind == Kind::halves8 || kind == Kind::halves16) return {{127, 224}, {64, 146}, true, true};
  return {{127, 0}, {127, 0}, kind == Kind::dots8 || kind == Kind::dots16, false};
}

struct LatentArgs {
  const ScreenTask& task;
  const Form& form;
  const Latents& latents;
  const float* mean;
  std::atomic<bool>* usable;
};

template <int W>
PIPELINE_INLINE void readBlocks(const LatentArgs& args, int64_t begin, int64_t end) {
  int32_t* const memory = reinterpret_cast<int32_t*>(scratch(stepsOf(args.task.inputs) * kCells + 64));
  for (int64_t block = begin; block < end; block++)
    if (!readLatents<W>(args.task, args.form, args.latents, args.mean, block, memory)) *args.usable = false;
}
PIPELINE_KERNEL(readAll, readBlocks, LatentArgs)

#if PIPELINE_X86
PIPELINE_AVX2 void screenHalves8(const Pass& pass, int64_t begin, int64_t end) { screenGroups(Halves8{}, pass, begin, end); }
PIPELINE_AVX512 void screenHalves16(const Pass& pass, int64_t begin, int64_t end) { screenGroups(Halves16{}, pass, begin, end); }
PIPELINE_AVX2 void screenDots8(const Pass& pass, int64_t begin, int64_t end) { screenGroups(Dots8{}, pass, begin, end); }
PIPELINE_AVX512 void screenDots16(const Pass& pass, int64_t begin, int64_t end) { screenGroups(Dots16{}, pass, begin, end); }
PIPELINE_AVX512 void screenTiles(const Pass& pass, int64_t begin, int64_t end) {
  const ByteTiles tiles{};
  screenGroups(tiles, pass, begin, end);
}
#endif

void screenBy(Kind kind, const Pass& pass, int64_t begin, int64_t end) {
#if PIPELINE_X86
  if (kind == Kind::tiles) return screenTiles(pass, begin, end);
  if (kind == Kind::dots16) return screenDots16(pass, begin, end);
  if (kind == Kind::dots8) return screenDots8(pass, begin, end);
  if (kind == Kind::halves8) return screenHalves8(pass, begin, end);
  if (kind == Kind::halves16) return screenHalves16(pass, begin, end);
#elif defined(__aarch64__)
  if (kind == Kind::quads) screenGroups(Quads{}, pass, begin, end);
#endif
}

/** The rows that show whether screening pays, however many threads there are. */
constexpr int64_t kTrial = 4 * kSide;

/** The mean of the rows where it is large against what is left without it; empty where it is not. */
std::vector<float> meanOf(const ScreenTask& task) {
  const int64_t inputs = task.inputs;
  std::vector<double> sums(inputs), squares(inputs);
  parallel(inputs, 64, [&](int64_t begin, int64_t end) {
    for (int64_t row = 0; row < task.rows; row++)
      for (int64_t d = begin; d < end; d++) {
        const double value = task.x[row * inputs + d];
        sums[d] += value;
        squares[d] += value * value;
      }
  });
  double mean = 0, all = 0;
  for (int64_t d = 0; d < inputs; d++) {
    sums[d] /= static_cast<double>(task.rows);
    mean += sums[d] * sums[d];
    all += squares[d] / static_cast<double>(task.rows);
  }
  if (!(all < 1e30) || mean < 0.2 * all) return {};
  return std::vector<float>(sums.begin(), sums.end());
}

/** Whether the sizes speak for screening. */
bool mayPay(const ScreenTask& task) {
  return task.rows >= 64 && task.inputs >= 32 && task.latents >= 1024 && task.k * 48 <= task.latents;
}

void leaveAll(ScreenReport& report, int64_t rows) {
  report.left.resize(rows);
  for (int64_t row = 0; row < rows; row++) report.left[row] = static_cast<int32_t>(row);
}

}  // namespace

void tell(const ScreenReport& report, float* to) {
  to[0] = report.used ? 1.f : 0.f;
  to[1] = static_cast<float>(report.candidates);
  to[2] = static_cast<float>(report.summed);
  to[3] = static_cast<float>(report.left.size());
}

ScreenReport screen(const ScreenTask& task, Screening screening, const ScreenSink& sink) {
  ScreenReport report;
  const bool forced = screening == Screening::always;
  const Kind kind = screening == Screening::off || !(forced || mayPay(task)) ? Kind::none : kindInUse();
  // Sums of more products of bytes might not fit 32 bits.
  if (kind == Kind::none || task.rows == 0 || task.inputs == 0 || task.inputs > 60000) {
    leaveAll(report, task.rows);
    return report;
  }
  const Form form = formOf(kind);
  const Latents latents(sharedScratch(Latents::memory(form, task.inputs, task.latents)), form, task.inputs, task.latents);
  const std::vector<float> mean = meanOf(task);
  double meanSquare = 0;
  for (const float value : mean) meanSquare += static_cast<double>(value) * value;
  std::atomic<bool> usable{true};
  const LatentArgs args{task, form, latents, mean.empty() ? nullptr : mean.data(), &usable};
  parallel(Latents::padded(task.latents) / kSide, 4, [&](int64_t begin, int64_t end) { readAll(args, begin, end); });
  if (!usable) {
    leaveAll(report, task.rows);
    return report;
  }
  double largest = 0;
  for (int64_t i = 0; i < task.latents; i++)
    largest = std::max<double>({largest, latents.whole[i], task.scale ? task.scale[i] : 1.f});
  const int64_t trial = std::min(task.rows, kTrial);
  std::vector<uint8_t> fates(task.rows, kLeft);
  std::vector<float> reached(trial);
  std::atomic<int64_t> candidates{0}, summed{0};
  Pass pass{task, form, latents, args.mean, std::sqrt(meanSquare) * 1.000001, largest, sink, fates.data(), reached.data(), 0, nullptr,
            &candidates, &summed, Lists::roomFor(task.latents, task.bounds ? 0 : task.k), 0, kSide, 0};
  const auto screenTo = [&](int64_t stop, int64_t most) {
    const int64_t count = stop - pass.first, threads = threadCount();
    const int64_t groups = (count + most * threads - 1) / (most * threads) * threads;
    pass.groupRows = ((count + groups - 1) / groups + kSide - 1) / kSide * kSide;
    pass.stop = stop;
    parallel((count + pass.groupRows - 1) / pass.groupRows, 1,
             [&](int64_t begin, int64_t end) { screenBy(kind, pass, begin, end); });
    pass.first = stop;
  };
  screenTo(trial, 2 * kSide);
  const int64_t leaving = std::count(fates.begin(), fates.begin() + trial, kLeft);
  if (trial < task.rows && (forced || leaving * 4 <= trial)) {
    const int64_t rowBytes = stepsOf(task.inputs) * kDepthOfStep;
    const int64_t most = std::max(kSide, std::min<int64_t>(512, (400 << 10) / rowBytes) / kSide * kSide);
    // One row in 32 may have to be screened again.
    std::nth_element(reached.begin(), reached.begin() + trial / 32, reached.end());
    const float low = reached[trial / 32];
    pass.guess = !task.bounds && low > 0 && low < HUGE_VALF ? 0.95f * low : 0;
    pass.reached = nullptr;
    screenTo(task.rows, most);
    std::vector<int32_t> again;
    for (int64_t row = trial; row < task.rows; row++)
      if (fates[row] == kAgain) again.push_back(static_cast<int32_t>(row));
    if (!again.empty()) {
      pass.guess = 0;
      pass.order = again.data();
      pass.first = 0;
      screenTo(static_cast<int64_t>(again.size()), most);
    }
  }
  report.used = true;
  report.candidates = candidates;
  report.summed = summed;
  for (int64_t row = 0; row < task.rows; row++)
    if (fates[row] != kDone) report.left.push_back(static_cast<int32_t>(row));
  return report;
}

}  // namespace pipeline
