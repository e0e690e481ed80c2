/** Asking the processor, and for AMX the kernel too: tile registers must be granted to a process before first use. */
#include "isa.h"

#include <atomic>
#include <cstring>

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace pipeline {
namespace {

#if defined(__x86_64__)
/** Registers of one leaf of CPUID; zeros where it has none. */
struct Leaf {
  unsigned a = 0, b = 0, c = 0, d = 0;
  Leaf(unsigned leaf, unsigned part) {
    if (!__get_cpuid_count(leaf, part, &a, &b, &c, &d)) a = b = c = d = 0;
  }
};

bool bit(unsigned word, int at) { return word >> at & 1; }

bool hasAmx(const Leaf& seven) {
  const bool tiles = bit(seven.d, 24), bf16 = bit(seven.d, 22), int8 = bit(seven.d, 25);
  if (!tiles || !bf16 || !int8) return false;
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

/** A bit for each instruction set. */
unsigned found() {
  const auto mark = [](Isa isa) { return 1u << static_cast<int>(isa); };
#if defined(__x86_64__)
  unsigned sets = mark(Isa::plain);
  __builtin_cpu_init();
  constexpr int kHalves = 29;  // F16C, which compilers do not all know by name
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi2") ||
      !bit(Leaf(1, 0).c, kHalves))
    return sets;
  sets |= mark(Isa::avx2);
  const Leaf seven(7, 0), more(7, 1);
  if (bit(more.a, 4)) sets |= mark(Isa::avxvnni);
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512cd"))
    return sets;
  sets |= mark(Isa::avx512);
  if (!bit(seven.c, 11)) return sets;
  sets |= mark(Isa::avx512vnni);
  if (!bit(more.a, 5)) return sets;
  sets |= mark(Isa::avx512bf16);
  return hasAmx(seven) ? sets | mark(Isa::amx) : sets;
#elif defined(__aarch64__)
  return mark(Isa::neon);
#else
  return mark(Isa::plain);
#endif
}

constexpr const char* kNames[kIsas] = {"plain", "neon", "avx2", "avxvnni", "avx512", "avx512vnni", "avx512bf16", "amx"};

/** The instruction set of that name if the processor has it, else the best. */
Isa isaOf(const char* name) {
  Isa best = Isa::plain;
  for (int i = 0; i < kIsas; i++) {
    const Isa each = static_cast<Isa>(i);
    if (!hasIsa(each)) continue;
    if (name && std::strcmp(name, kNames[i]) == 0) return each;
    best = each;
  }
  return best;
}

std::atomic<Isa>& current() {
  static std::atomic<Isa> used{isaOf(nullptr)};
  return used;
}

}  // namespace

bool hasIsa(Isa isa) {
  static const unsigned sets = found();
  return sets >> static_cast<int>(isa) & 1;
}

const char* nameOf(Isa isa) { return kNames[static_cast<int>(isa)]; }

Isa isa() { return current().load(std::memory_order_relaxed); }

void setIsa(const char* name) { current().store(isaOf(name)); }

}  // namespace pipeline
