import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { flagsIn } from '../isa.ts'
import { examine } from './examine.ts'
import { driverIn, missing } from './gpu.ts'
import { instructionsIn } from './processor.ts'
import { type DoctorReport, formatReport } from './report.ts'

const report: DoctorReport = {
  schema: 1,
  choice: 'auto',
  engine: {
    name: 'tensorflow',
    version: '2.21.0',
    precision: 'float32',
    threads: 2,
    isa: null,
    nativeOps: true,
    reason: 'TensorFlow is installed',
  },
  problem: null,
  fix: null,
  opInstructions: 'avx2',
  builds: {
    cpu: { root: '/cache/cpu', installed: true, sources: ['a.whl'] },
    cuda: { root: '/cache/cuda', installed: false, sources: [] },
  },
  machine: {
    system: 'linux x64',
    processor: 'Example 9000',
    processors: 2,
    instructions: ['AVX', 'AVX2'],
    instructionSets: ['plain', 'avx2'],
    memory: 16e9,
    freeMemory: 8e9,
  },
  disks: [{ what: 'cache', path: '/cache', free: 5e9 }],
  gpu: { driver: null, devices: [], libcuda: false, libraries: { 'libcudart.so.12': false }, missing: ['No driver.'] },
  node: '20.0.0',
}

describe('the page', () => {
  test('says what runs and why, and on what', () => {
    expect(formatReport(report)).toMatchInlineSnapshot(`
      "engine       tensorflow 2.21.0, because TensorFlow is installed
      precision    float32
      threads      2
      custom ops   loaded, with avx2 instructions
      TensorFlow   /cache/cpu
      with CUDA    not installed
      processor    2 × Example 9000
      instructions AVX, AVX2
      PIPELINE_ISA may be plain, avx2
      memory       16.0 GB, 8.0 GB free
      cache        /cache, 5.0 GB free
      GPU          none found: no NVIDIA driver, no CUDA build
      Node         20.0.0 on linux x64"
    `)
  })

  test('says which instruction set is forced', () => {
    const text = formatReport({ ...report, engine: { ...report.engine!, isa: 'plain' }, opInstructions: 'plain' })
    expect(text).toContain('custom ops   loaded, with plain instructions\nforced       plain, by PIPELINE_ISA')
  })

  test('tells all about a GPU that was asked for, and why no engine runs', () => {
    const text = formatReport({
      ...report,
      choice: 'tensorflow-gpu',
      engine: null,
      problem: 'It is not installed.',
      fix: 'Install it.',
    })
    expect(text).toContain('engine       none: It is not installed.\nfix          Install it.')
    expect(text).toContain('libcuda      cannot be loaded')
    expect(text).toContain('GPU lacks    No driver.')
  })

  test.each([80, 50])('fits %i columns, long sentences too', columns => {
    const notice = 'A notice that goes on and on, so that it must be broken into several lines to fit the page at all.'
    const text = formatReport({ ...report, choice: 'tensorflow-gpu', engine: { ...report.engine!, notice } }, columns)
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(columns)
    expect(text.replace(/\s+/g, ' ')).toContain(notice)
  })
})

describe('the processor', () => {
  test("is read from Linux's list of flags", () => {
    expect(instructionsIn(flagsIn('model name : X\nflags\t\t: fpu avx avx2 fma avx512f amx_tile amx_bf16\n'))).toEqual([
      'AVX',
      'AVX2',
      'FMA',
      'AVX-512',
      'AMX',
      'AMX BF16',
    ])
    expect(instructionsIn(flagsIn('Features\t: fp asimd sve\n'))).toEqual(['NEON', 'SVE'])
    expect(instructionsIn(flagsIn(''))).toEqual([])
  })
})

describe('a GPU', () => {
  const found = {
    driver: '550.54.15',
    devices: ['H100, 81559 MiB'],
    libcuda: true,
    libraries: { 'libcudart.so.12': true },
  }

  test("shows its driver's version", () => {
    const text =
      'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version: 12\n'
    const open = 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build\n'
    expect(driverIn(text)).toBe('535.104.05')
    expect(driverIn(open)).toBe('550.54.15')
    expect(driverIn('')).toBeNull()
  })

  test.runIf(process.platform === 'linux' && process.arch === 'x64')('lacks what is not there, by name', () => {
    expect(missing(found, true)).toEqual([])
    expect(missing({ ...found, driver: null }, true)).toEqual([expect.stringContaining('No NVIDIA driver')])
    expect(missing({ ...found, driver: '470.1' }, true)).toEqual([expect.stringContaining('525 or newer')])
    expect(missing({ ...found, libcuda: false }, true)).toEqual([expect.stringContaining('libcuda.so.1')])
    expect(missing({ ...found, devices: [] }, true)).toEqual(['nvidia-smi lists no device.'])
    expect(missing({ ...found, libraries: { 'libcudart.so.12': false } }, true)).toEqual([
      expect.stringContaining('libcudart.so.12 cannot be loaded'),
    ])
    expect(missing(found, false)).toEqual([expect.stringContaining('is not installed')])
  })
})

test('this machine is examined without changing it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'doctor-'))
  vi.stubEnv('PIPELINE_CACHE_DIR', join(folder, 'cache'))
  try {
    const found = await examine({ engine: 'auto', runs: join(folder, 'runs') })
    expect(found.engine?.name).toBe('wasm')
    expect(found.engine?.notice).toContain('pipeline doctor --install')
    expect(found.builds.cpu.installed).toBe(false)
    expect(found.machine.processors).toBeGreaterThanOrEqual(1)
    expect(found.machine.freeMemory).toBeLessThanOrEqual(found.machine.memory)
    expect(found.disks.map(({ what, free }) => [what, free! > 0])).toEqual([
      ['cache', true],
      ['runs', true],
    ])
    expect(JSON.parse(JSON.stringify(found))).toEqual(found)
    const named = await examine({ engine: 'tensorflow' })
    expect(named.engine).toBeNull()
    expect(named.problem).toBe('TensorFlow is not installed.')
    await expect(examine({ engine: 'none' as 'auto' })).rejects.toThrow('must be one of')
    await expect(rm(join(folder, 'cache'))).rejects.toThrow('ENOENT')
  } finally {
    vi.unstubAllEnvs()
    await rm(folder, { recursive: true })
  }
})
