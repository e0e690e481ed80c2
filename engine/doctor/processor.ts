/** The processor: its name, and the vector instructions that decide how fast products are. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { arch, cpus, platform } from 'node:os'
import { promisify } from 'node:util'

const NAMES: readonly (readonly [flag: string, name: string])[] = [
  ['avx', 'AVX'],
  ['avx2', 'AVX2'],
  ['fma', 'FMA'],
  ['avx512f', 'AVX-512'],
  ['avx512_bf16', 'AVX-512 BF16'],
  ['amx_tile', 'AMX'],
  ['amx_bf16', 'AMX BF16'],
  ['asimd', 'NEON'],
  ['sve', 'SVE'],
  ['bf16', 'BF16'],
]

/** The processor's name. */
export function processorName(): string {
  return cpus()[0]?.model.trim().replace(/\s+/g, ' ') || 'unknown'
}

/** Names of the vector instructions that the processor has, of those that matter here. */
export async function instructions(): Promise<string[]> {
  if (platform() === 'darwin') return arch() === 'arm64' ? ['NEON'] : instructionsIn(await macFeatures())
  return instructionsIn(await readFile('/proc/cpuinfo', 'utf8').catch(() => ''))
}

/** The instructions that the text of `/proc/cpuinfo` lists, on its first line of flags. */
export function instructionsIn(text: string): string[] {
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(text)?.[1] ?? ''
  const flags = new Set(line.trim().split(/\s+/))
  return NAMES.filter(([flag]) => flags.has(flag)).map(([, name]) => name)
}

/** macOS names the same flags in capitals, and AVX-512 part by part. */
async function macFeatures(): Promise<string> {
  const keys = ['machdep.cpu.features', 'machdep.cpu.leaf7_features']
  const { stdout } = await promisify(execFile)('sysctl', ['-n', ...keys]).catch(() => ({ stdout: '' }))
  return `flags: ${stdout.toLowerCase().replaceAll('\n', ' ').replaceAll('avx1.0', 'avx')}`
}
