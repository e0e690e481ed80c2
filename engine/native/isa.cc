/** Asking the processor, and for AMX the kernel too: tile registers must be granted to a process before first use. */
#include "isa.h"

#include <atomic>
#include <cstdlib>
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
bool hasAvx512Bf16() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && a & (1u << 5);
}

bool hasAmx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  const bool tiles = d & (1u << 24), bf16 = d & (1u << 22);
  if (!tiles || !bf16) return false;
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

Isa best() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  if (!avx2) return Isa::plain;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512cd");
  if (!avx512) return Isa::avx2;
  if (!hasAvx512Bf16()) return Isa::avx512;
  return hasAmx() ? Isa::amx : Isa::avx512bf16;
#else
  return Isa::plain;
#endif
}

constexpr const char* kNames[] = {"plain", "avx2", "avx512", "avx512bf16", "amx"};

/** The level of that name, if the processor has it. */
Isa levelOf(const char* name) {
  static const Isa found = best();
  if (name)
    for (int level = 0; level < static_cast<int>(found); level++)
      if (std::strcmp(name, kNames[level]) == 0) return static_cast<Isa>(level);
  return found;
}

std::atomic<Isa>& level() {
  static std::atomic<Isa> current{levelOf(std::getenv("PIPELINE_OPS_ISA"))};
  return current;
}

}  // namespace

Isa isa() { return level().load(std::memory_order_relaxed); }

const char* isaName() { return kNames[static_cast<int>(isa())]; }

void setIsa(const char* name) { level().store(levelOf(name)); }

}  // namespace pipeline
