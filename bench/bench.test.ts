import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { isInstalled, tensorflowRoot } from '../engine/install/places.ts'
import { printedBy } from '../tests/cli.ts'
import { benches } from './index.ts'
import { main } from './main.ts'

const program = fileURLToPath(new URL('./main.ts', import.meta.url))

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs `npm run bench -- …args` without npm. */
function bench(args: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
  return new Promise(resolve => {
    const child = execFile(
      process.execPath,
      ['--import', 'tsx', program, ...args],
      { env: { ...process.env, ...environment }, maxBuffer: 2 ** 24 },
      (_, stdout, stderr) => resolve({ code: child.exitCode!, stdout, stderr }),
    )
  })
}

describe('the command line of benchmarks', () => {
  test('lists the benchmarks, and the flags of each', async () => {
    const [all, one] = [await bench(['--help']), await printedBy(() => main(['train', '--help']))]
    expect(all).toMatchObject({ code: 0, stderr: '' })
    const names = Object.keys(benches)
    expect(names.length).toBeGreaterThan(10)
    for (const name of names) expect(all.stdout).toMatch(new RegExp(`^ +${name} `, 'm'))
    expect(one).toMatchObject({ code: 0, stderr: '' })
    expect(one.stdout).toContain('npm run bench -- train [flags]')
    for (const flag of ['--rounds', '--latents', '--architectures', '--tokens', '--json'])
      expect(one.stdout).toContain(flag)
  })

  test.each([
    [['trian'], 'There is no benchmark trian', 'Did you mean train?'],
    [['--rounds', '3'], 'The benchmark comes before --rounds', 'Name one of'],
    [['train', '--round', '3'], 'train has no flag --round.', 'Did you mean --rounds?'],
    [['train', '--rounds', '0'], 'train key rounds is 0', 'expected number to be >=1'],
    [['train', '--architectures', 'topc'], 'topc', 'topk'],
    [['ops', '--cases', 'nrom'], 'There is no case nrom.', 'norm'],
    [['ops', '--isa', 'avx3'], 'avx3', 'avx512'],
    [['sae-quality', '--precision', 'half'], 'key precision is "half"', 'float32'],
  ])('%j is answered in a sentence', async (args, problem, repair) => {
    const { code, stdout, stderr } = await printedBy(() => main(args))
    expect(code).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^bench: /)
    expect(stderr).toContain(problem)
    expect(stderr).toContain(repair)
    expect(stderr).not.toMatch(/^\s+at /m)
  })

  test('a missing engine is a sentence, and an object under --json', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'bench-'))
    try {
      const { code, stdout, stderr } = await bench(['train', '--json'], { PIPELINE_CACHE_DIR: empty })
      expect(code).toBe(1)
      expect(stderr).toContain('TensorFlow is not installed.')
      expect(stderr).not.toMatch(/^\s+at /m)
      expect(JSON.parse(stdout).error).toMatchObject({ exitCode: 1 })
    } finally {
      await rm(empty, { recursive: true })
    }
  })
})

describe.skipIf(!process.env.PIPELINE_LONG || !isInstalled(tensorflowRoot('cpu')))('a small benchmark', () => {
  const flags = ['--latents', '64', '--architectures', 'topk', '--precisions', 'float32', '--json']
  let [timed, long]: Ended[] = []
  beforeAll(async () => {
    timed = await bench(['train', '--rounds', '12', '--steps', 'fused', ...flags])
    long = await bench(['train', '--tokens', '8192', ...flags])
  }, 600_000)

  test('gives an object a case on stdout, and nothing else anywhere', () => {
    expect(timed).toMatchObject({ code: 0, stderr: '' })
    const [figures, ...rest] = timed!.stdout.trim().split('\n')
    expect(rest).toEqual([])
    expect(JSON.parse(figures!)).toMatchObject({
      benchmark: 'train',
      architecture: 'topk',
      step: 'fused',
      toPlain: null,
    })
    expect(JSON.parse(figures!).tokensPerSecond).toBeGreaterThan(0)
  })

  test('over many rows gives the first and the last of them', () => {
    expect(long).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(long!.stdout)).toMatchObject({ tokens: 8192, first: {}, last: {} })
  })
})
