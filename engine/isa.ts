/**
 * Instruction sets of processors, as the custom ops tell them apart: which ones this machine has, and which one
 * `PIPELINE_ISA` forces. Loads no engine.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { UserError } from '../core/errors.ts'

/**
 * Every instruction set that kernels are compiled for, from the least to the most. `plain` is what every x86-64 has (SSE2),
 * `neon` what every arm64 has; `avxvnni` is AVX2 with dot products of 8-bit integers, which AVX-512 alone does not bring.
 */
export const instructionSets = [
  'plain',
  'neon',
  'avx2',
  'avxvnni',
  'avx512',
  'avx512vnni',
  'avx512bf16',
  'amx',
] as const

export type InstructionSet = (typeof instructionSets)[number]

const avx2 = ['avx2', 'fma', 'bmi1', 'bmi2', 'f16c']
const avx512 = [...avx2, 'avx512f', 'avx512bw', 'avx512dq', 'avx512vl', 'avx512cd']

/** The flags, as Linux names them, that make an instruction set. */
const flagsOf: Readonly<Record<InstructionSet, readonly string[]>> = {
  plain: ['sse2'],
  neon: ['asimd'],
  avx2,
  avxvnni: [...avx2, 'avx_vnni'],
  avx512,
  avx512vnni: [...avx512, 'avx512_vnni'],
  avx512bf16: [...avx512, 'avx512_vnni', 'avx512_bf16'],
  amx: [...avx512, 'avx512_vnni', 'avx512_bf16', 'amx_tile', 'amx_bf16', 'amx_int8'],
}

/** What oneDNN, TensorFlow's library of products, calls the same bound. On arm64 it has none to choose. */
const oneDnnNames: Readonly<Record<InstructionSet, string | null>> = {
  plain: 'SSE41',
  neon: null,
  avx2: 'AVX2',
  avxvnni: 'AVX2_VNNI',
  avx512: 'AVX512_CORE',
  avx512vnni: 'AVX512_CORE_VNNI',
  avx512bf16: 'AVX512_CORE_BF16',
  amx: 'AVX512_CORE_AMX',
}

/** The most that oneDNN may use under a forced instruction set, in the words of `ONEDNN_MAX_CPU_ISA`; null for no bound. */
export function oneDnnBound(set: InstructionSet): string | null {
  return oneDnnNames[set]
}

/** Flags of the processor in Linux's names; empty where the system does not tell. */
export function processorFlags(): ReadonlySet<string> {
  try {
    if (process.platform === 'darwin') return macFlags()
    return flagsIn(readFileSync('/proc/cpuinfo', 'utf8'))
  } catch {
    return new Set()
  }
}

/** The flags that the text of `/proc/cpuinfo` lists, on its first line of flags. */
export function flagsIn(text: string): ReadonlySet<string> {
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(text)?.[1] ?? ''
  return new Set(line.trim().split(/\s+/).filter(Boolean))
}

/** macOS names the same flags in capitals, and AVX-512 part by part; its arm64 processors all have NEON. */
function macFlags(): ReadonlySet<string> {
  if (process.arch === 'arm64') return new Set(['asimd'])
  const text = execFileSync('sysctl', ['-n', 'machdep.cpu.features', 'machdep.cpu.leaf7_features'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return new Set(text.toLowerCase().replaceAll('avx1.0', 'avx').trim().split(/\s+/))
}

/** The instruction sets that a processor of these flags has; by default this one. */
export function instructionSetsOf(flags: ReadonlySet<string> = processorFlags()): InstructionSet[] {
  return instructionSets.filter(set => flagsOf[set].every(flag => flags.has(flag)))
}

/**
 * The instruction set that `PIPELINE_ISA` forces, or null where it is not set. Throws a `UserError` for a name that is
 * none, and for one that this processor lacks.
 */
export function forcedInstructionSet(
  found: readonly InstructionSet[] = instructionSetsOf(),
  name: string | undefined = process.env.PIPELINE_ISA,
): InstructionSet | null {
  if (!name) return null
  const set = instructionSets.find(each => each === name)
  if (!set)
    throw new UserError(`PIPELINE_ISA must be one of ${instructionSets.join(', ')}, but it is ${name}.`, {
      fix: 'Change it, or unset it for the best that the processor has.',
    })
  if (!found.includes(set))
    throw new UserError(
      `PIPELINE_ISA is ${name}, which this processor lacks: it has ${found.join(', ') || 'none that is known'}.`,
      { fix: 'Name one that it has, or unset it for the best.' },
    )
  return set
}
