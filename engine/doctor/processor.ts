/** The processor: its name, and the vector instructions that decide how fast products are. */
import { cpus } from 'node:os'

const NAMES: readonly (readonly [flag: string, name: string])[] = [
  ['avx', 'AVX'],
  ['avx2', 'AVX2'],
  ['fma', 'FMA'],
  ['avx512f', 'AVX-512'],
  ['avx_vnni', 'AVX-VNNI'],
  ['avx512_vnni', 'AVX-512 VNNI'],
  ['avx512_bf16', 'AVX-512 BF16'],
  ['amx_tile', 'AMX'],
  ['amx_bf16', 'AMX BF16'],
  ['amx_int8', 'AMX INT8'],
  ['asimd', 'NEON'],
  ['sve', 'SVE'],
  ['bf16', 'BF16'],
]

/** The processor's name. */
export function processorName(): string {
  return cpus()[0]?.model.trim().replace(/\s+/g, ' ') || 'unknown'
}

/** Names of the vector instructions that flags of a processor tell of, of those that matter here. */
export function instructionsIn(flags: ReadonlySet<string>): string[] {
  return NAMES.filter(([flag]) => flags.has(flag)).map(([, name]) => name)
}
