import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { flagsIn, forcedInstructionSet, instructionSets, instructionSetsOf, oneDnnBound } from './isa.ts'
import { opsTestable } from './ops/testing.ts'

const avx2 = 'fpu sse2 avx avx2 fma bmi1 bmi2 f16c'
const avx512 = `${avx2} avx512f avx512bw avx512dq avx512vl avx512cd`
const sets = (flags: string) => instructionSetsOf(flagsIn(`model name : X\nflags\t\t: ${flags}\n`))

test('what a processor has follows from its flags', () => {
  expect(sets('fpu sse2 avx')).toEqual(['plain'])
  expect(sets(avx2)).toEqual(['plain', 'avx2'])
  expect(sets(avx2.replace(' fma', ''))).toEqual(['plain'])
  expect(sets(`${avx2} avx_vnni`)).toEqual(['plain', 'avx2', 'avxvnni'])
  expect(sets(`${avx512} avx512_vnni`)).toEqual(['plain', 'avx2', 'avx512', 'avx512vnni'])
  expect(sets(`${avx512} avx512_vnni avx512_bf16 amx_tile amx_bf16 amx_int8`)).toEqual([
    'plain',
    'avx2',
    'avx512',
    'avx512vnni',
    'avx512bf16',
    'amx',
  ])
  expect(instructionSetsOf(flagsIn('Features\t: fp asimd sve\n'))).toEqual(['neon'])
  expect(instructionSetsOf(flagsIn(''))).toEqual([])
})

test('PIPELINE_ISA takes a name that the processor has, and says what is wrong with any other', () => {
  vi.stubEnv('PIPELINE_ISA', undefined)
  expect(forcedInstructionSet(['plain', 'avx2'], undefined)).toBeNull()
  vi.unstubAllEnvs()
  expect(forcedInstructionSet(['plain', 'avx2'], '')).toBeNull()
  expect(forcedInstructionSet(['plain', 'avx2'], 'avx2')).toBe('avx2')
  expect(() => forcedInstructionSet(['plain', 'avx2'], 'AVX2')).toThrow(
    `PIPELINE_ISA must be one of ${instructionSets.join(', ')}, but it is AVX2.`,
  )
  expect(() => forcedInstructionSet(['plain', 'avx2'], 'amx')).toThrow(
    'PIPELINE_ISA is amx, which this processor lacks: it has plain, avx2.',
  )
})

test('every instruction set of x86-64 bounds oneDNN too', () => {
  for (const set of instructionSets) expect(oneDnnBound(set) === null, set).toBe(set === 'neon')
})

describe.skipIf(!opsTestable)('in a process', () => {
  const here = instructionSetsOf()

  /** The instructions of the ops, a bound on oneDNN, and the bits of a product that TensorFlow makes, under PIPELINE_ISA. */
  async function under(set: string) {
    const script = `
      const { startEngine } = await import('./engine/engine.ts')
      const { opInstructions, availableInstructions } = await import('./engine/ops/native.ts')
      const { tf } = await import('./engine/tf.ts')
      const { isa } = await startEngine({ engine: 'tensorflow', threads: 1 })
      const a = tf.randomNormal([64, 512], 0, 1, 'float32', 1)
      const bits = [...new Uint32Array(tf.matMul(a, a, false, true).dataSync().slice().buffer)]
      console.log(JSON.stringify({ isa, used: opInstructions(), found: availableInstructions(), bound: process.env.ONEDNN_MAX_CPU_ISA, bits }))`
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', script],
      {
        cwd: fileURLToPath(new URL('..', import.meta.url)),
        env: { ...process.env, PIPELINE_ISA: set },
        maxBuffer: 1e8,
      },
    )
    return JSON.parse(stdout) as { isa: string; used: string; found: string[]; bound: string; bits: number[] }
  }

  test.runIf(here.includes('avx512'))('it reaches the custom ops and TensorFlow’s own products', async () => {
    const [narrow, wide] = await Promise.all([under('avx2'), under('avx512')])
    expect(narrow).toMatchObject({ isa: 'avx2', used: 'avx2', found: here, bound: 'AVX2' })
    expect(wide).toMatchObject({ isa: 'avx512', used: 'avx512', found: here, bound: 'AVX512_CORE' })
    // Sums of other lengths round otherwise: equal bits would mean that TensorFlow had not listened.
    expect(narrow.bits).not.toEqual(wide.bits)
  })

  test('one that the processor lacks ends the start with a sentence', async () => {
    const lacking = instructionSets.find(set => !here.includes(set))!
    await expect(under(lacking)).rejects.toThrow(`PIPELINE_ISA is ${lacking}, which this processor lacks`)
  })
})
