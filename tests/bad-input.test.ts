/** Bad input, through the command line: one sentence, exit code 1, and nothing half-written. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CliOptions, type CliResult, runCli, runHere } from './cli.ts'
import { compiledPath } from './compiled.ts'
import { writeTinyModel } from './tiny-model.ts'

let folder: string
let good: string
let runs: string
const site = 'blocks.0.hook_resid_post'

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-bad-'))
  good = join(folder, 'good')
  runs = join(folder, 'runs')
  await writeTinyModel(good)
  await ok(capture(good, '--name', 'captured'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** In this process where the command needs none of its own. */
function pipeline(args: string[], options: CliOptions = {}): Promise<CliResult> {
  const env = { PIPELINE_RUNS: runs, ...options.env }
  return options.imports || args[0] === 'run' ? runCli(args, { ...options, env }) : runHere(args, env)
}

const captureFlags = (model: string) => [
  '--model',
  model,
  '--dataset',
  'toyworld',
  '--dataset.documents',
  '60',
  '--sites',
  site,
  '--seed',
  '3',
]

function capture(model: string, ...more: string[]): Promise<CliResult> {
  return pipeline(['capture', ...captureFlags(model), ...more])
}

async function ok(result: Promise<CliResult>): Promise<CliResult> {
  const done = await result
  expect(done.code, done.stderr).toBe(0)
  return done
}

/** The command failed as a user's error does, and left no run but those there were. */
async function refused(result: Promise<CliResult>, sentence: RegExp): Promise<void> {
  const before = runIds()
  const { code, stdout, stderr } = await result
  const lines = stderr.trim().split('\n')
  const said = lines.filter(line => line.startsWith('pipeline: '))
  expect(said, stderr).toHaveLength(1)
  expect(said[0]!.slice('pipeline: '.length)).toMatch(sentence)
  expect(stderr).not.toMatch(/^\s+at /m)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(runIds()).toEqual(before)
}

function runIds(): string[] {
  return existsSync(runs) ? readdirSync(runs).sort() : []
}

/** A copy of the good model whose weights file is spoilt. */
function spoilt(name: string, spoil: (path: string) => void): string {
  const directory = join(folder, name)
  cpSync(good, directory, { recursive: true })
  spoil(join(directory, 'model.safetensors'))
  return directory
}

/** Rewrites the header of a safetensors file. */
function editHeader(path: string, edit: (header: Record<string, { data_offsets: number[] }>) => void): void {
  const bytes = readFileSync(path)
  const length = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString())
  edit(header)
  const text = Buffer.from(JSON.stringify(header))
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(text.length))
  writeFileSync(path, Buffer.concat([size, text, bytes.subarray(8 + length)]))
}

describe('a model whose safetensors', () => {
  test('are missing', () => refused(capture(spoilt('missing', path => rmSync(path))), /model\.safetensors/))

  test('are truncated', () =>
    refused(
      capture(spoilt('truncated', path => truncateSync(path, readFileSync(path).length - 100))),
      /model\.safetensors/,
    ))

  test('have a header larger than the file', () => {
    const large = spoilt('large', path => {
      const bytes = readFileSync(path)
      bytes.writeBigUInt64LE(10_000_000n, 0)
      writeFileSync(path, bytes)
    })
    return refused(capture(large), /header/)
  })

  test('have tensors that overlap', () => {
    const overlap = spoilt('overlap', path =>
      editHeader(path, header => {
        header['h.0.ln_1.bias']!.data_offsets = header['h.0.ln_1.weight']!.data_offsets
      }),
    )
    return refused(capture(overlap), /ln_1/)
  })
})

describe('a model', () => {
  test('whose weights have other shapes than its config says', async () => {
    const directory = join(folder, 'shapes')
    await writeTinyModel(directory, { config: { n_embd: 16 } })
    await refused(capture(directory), /16/)
  })

  test('of an unknown type', async () => {
    const directory = join(folder, 'unknown-type')
    await writeTinyModel(directory, { config: { model_type: 'gpt7' } })
    await refused(capture(directory), /gpt7/)
  })

  test('that has fewer tokens than its tokenizer', async () => {
    const directory = join(folder, 'tokenizer')
    await writeTinyModel(directory, {
      config: { vocab_size: 20 },
      tensors: tensors => {
        tensors['wte.weight'] = { shape: [20, 8], data: tensors['wte.weight']!.data.slice(0, 160) }
      },
    })
    await refused(capture(directory), /tokenizer/)
  })

  test('whose activations are not numbers', async () => {
    const directory = join(folder, 'nan')
    await writeTinyModel(directory, { tensors: tensors => tensors['h.0.mlp.c_proj.bias']!.data.fill(Number.NaN) })
    await refused(capture(directory), /NaN/)
  })

  test('that is not there', () => refused(capture(join(folder, 'absent')), /There is no model at .*absent/))
})

describe('text', () => {
  test('that is empty', () => {
    const path = join(folder, 'empty.txt')
    writeFileSync(path, '')
    return refused(pipeline(['capture', '--model', good, '--dataset', path, '--sites', site]), /no text/)
  })

  test('that is not there', () =>
    refused(pipeline(['capture', '--model', good, '--dataset', 'absent.txt', '--sites', site]), /There is no dataset/))
})

describe('a command line with', () => {
  test('a site that does not exist', () =>
    refused(capture(good, '--sites', 'blocks.0.hook_resid_past'), /blocks\.0\.hook_resid_past/))

  test('a run id that exists', () =>
    refused(capture(good, '--name', 'captured', '--seed', '4'), /The run captured exists/))

  test('an unknown flag', () => refused(capture(good, '--sampels', '3'), /capture has no flag --sampels/))

  test('a config file with an unknown key', async () => {
    const path = join(folder, 'config.yaml')
    writeFileSync(path, `model: ${good}\ndataset: toyworld\nsitse: [x]\n`)
    const result = pipeline(['capture', '-c', path])
    await refused(result, /capture has no key sitse/)
    expect((await result).stderr).toContain('fix: Did you mean sites?')
  })

  test('a pipeline file with an unknown key in a section', () => {
    const path = join(folder, 'pipeline.yaml')
    writeFileSync(path, `model: ${good}\ndataset: toyworld\ntrain: { latnets: 3 }\n`)
    return refused(pipeline(['run', path]), /run has no key train\.latnets/)
  })
})

test('a shard whose checksum is wrong', async () => {
  const directory = join(runs, 'captured')
  const shard = readdirSync(directory).find(name => name.endsWith('.arrow'))!
  const path = join(directory, shard)
  const whole = readFileSync(path)
  const spoiltBytes = Buffer.from(whole)
  spoiltBytes[spoiltBytes.length >> 1]! ^= 1
  writeFileSync(path, spoiltBytes)
  try {
    await refused(pipeline(['train', '--capture', 'captured', '--latents', '16', '--k', '2']), new RegExp(shard))
  } finally {
    writeFileSync(path, whole)
  }
})

test.skipIf(process.platform !== 'linux')('a full disk is a fault that may pass: the run goes on later', async () => {
  const args = ['capture', ...captureFlags(good), '--seed', '5', '--name', 'full']
  const { code, stderr } = await pipeline(args, {
    imports: [compiledPath('tests/full-disk.ts')],
    env: { FULL_DISK: 'full/.*arrow' },
  })
  expect({ code, stderr }).toEqual({
    code: 75,
    stderr: expect.stringMatching(/pipeline: The disk is full: .* could not/),
  })
  expect(readdirSync(join(runs, 'full')).filter(name => name.endsWith('.partial'))).toEqual([])
  const again = await ok(pipeline(args))
  expect(again.stdout).toContain('capture full: resumed and finished')
})

const onLinux = process.platform === 'linux'
test.skipIf(!onLinux)(
  'a disk that fills while a checkpoint is written loses nothing',
  { timeout: 60_000 },
  async () => {
    const train = (name: string) =>
      [
        ...['train', '--capture', 'captured', '--name', name, '--latents', '16', '--k', '2', '--seed', '1'],
        ...['--batchTokens', '64', '--tokens', '640', '--checkpointEvery', '2'],
      ] as const
    const { code, stderr } = await pipeline([...train('cut')], {
      imports: [compiledPath('tests/full-disk.ts')],
      env: { FULL_DISK: 'step-000000004' },
    })
    expect({ code, stderr }).toEqual({
      code: 75,
      stderr: expect.stringMatching(/pipeline: The disk is full: .*step-000000004.* could not be written/),
    })
    // The checkpoint before is whole, and nothing half-written lies beside it.
    expect(readdirSync(join(runs, 'cut', 'checkpoints')).sort()).toEqual(
      ['json', 'safetensors'].map(kind => `step-000000002.${kind}`),
    )
    await ok(pipeline([...train('cut')]))
    await ok(pipeline([...train('whole')]))
    for (const file of ['cfg.json', 'sae_weights.safetensors', 'sparsity.safetensors', 'metrics.jsonl'])
      expect(readFileSync(join(runs, 'cut', file)), file).toEqual(readFileSync(join(runs, 'whole', file)))
  },
)

test('an error is one object under --json', async () => {
  const { code, stdout } = await pipeline(['runs', 'show', 'absent', '--json'])
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ error: { message: expect.stringMatching(/no run absent/), exitCode: 1 } })
})

test('what was spoilt here was nothing else', async () => {
  mkdirSync(folder, { recursive: true })
  await ok(pipeline(['runs', 'verify', 'captured']))
})
