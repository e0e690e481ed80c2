/** Several SAEs from one command: each is the run that it would be alone, to the byte. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { readTable } from '../datasets/tables.ts'
import { labelsSchema } from '../labels/feature.ts'
import type { StageResult, StageResults } from '../pipeline/stages/perform.ts'
import type { RunManifest } from '../runs/run.ts'
import { runCli, runHere, startCli } from './cli.ts'
import { writeTinyModel } from './tiny-model.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-grid-'))
  await writeTinyModel(join(folder, 'model'))
  await ok('together', 'capture', '--name', 'cap', '--model', join(folder, 'model'), ...captured)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const captured = ['--dataset', 'toyworld', '--dataset.documents', '60', '--sites', 'blocks.0.hook_resid_post']
/** In this process, but for what starts others. */
function cli(store: string, ...args: string[]) {
  const env = { PIPELINE_RUNS: join(folder, store) }
  return args[0] === 'run' ? runCli(args, { env }) : runHere(args, env)
}

/** What a command prints under `--json`. */
async function ok<T = StageResult>(store: string, ...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await cli(store, ...args, '--json')
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout) as T
}

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const capture = () => join(folder, 'together', 'cap')
const manifest = (directory: string): RunManifest => JSON.parse(readFileSync(join(directory, 'run.json'), 'utf8'))

/** Content of each file of a run but its manifest, whose times differ. */
const bytesOf = (directory: string) =>
  Object.fromEntries(
    readdirSync(directory)
      .filter(name => name !== 'run.json')
      .map(name => [name, readFileSync(join(directory, name)).toString('base64')]),
  )

const common = [
  '--latents',
  '32',
  '--batchTokens',
  '128',
  '--epochs',
  '4',
  '--checkpointEvery',
  '10',
  '--logEvery',
  '3',
]

describe('a grid', () => {
  const yaml = `
grid: { architecture: [topk, batchtopk], k: [2, 4] }
fidelity: { every: 20, windows: 2 }
`
  const members = [
    ['topk', '2'],
    ['topk', '4'],
    ['batchtopk', '2'],
    ['batchtopk', '4'],
  ] as const
  const alone = (architecture: string, k: string) => [
    ...['train', '--capture', capture(), '--architecture', architecture, '--k', k],
    ...['--fidelity.every', '20', '--fidelity.windows', '2', ...common],
  ]

  test('makes a run for every combination, with the key and the bytes that each has alone', async () => {
    const args = ['train', '-c', file('grid.yaml', yaml), '--capture', 'cap', ...common]
    const { runs, exitCode } = await ok<StageResults>('together', ...args)
    expect(runs.map(({ label }) => label)).toEqual(members.map(([a, k]) => `architecture ${a}, k ${k}`))
    expect(exitCode).toBe(0)
    for (const [i, [architecture, k]] of members.entries()) {
      // The last stands for all, unless all are asked for.
      if (!process.env.PIPELINE_LONG && i < members.length - 1) continue
      const single = await ok('alone', ...alone(architecture, k))
      const [ours, theirs] = [manifest(runs[i]!.directory), manifest(single.directory)]
      expect(runs[i]!.run).toBe(single.run)
      expect(ours).toMatchObject({
        key: theirs.key,
        files: theirs.files,
        config: theirs.config,
        summary: theirs.summary,
      })
      expect(ours.inputs).toEqual(theirs.inputs)
      expect(bytesOf(runs[i]!.directory)).toEqual(bytesOf(single.directory))
      expect(ours.timing!.dataWaitShare).toBeGreaterThan(0)
    }

    // What is there is there, whichever way it is asked for; what is new is added.
    expect(await ok('together', ...alone('batchtopk', '4'))).toMatchObject({ state: 'unchanged', run: runs[3]!.run })
    const grown = await ok<StageResults>('together', ...args, '--grid.k', '2,4,8')
    expect(grown.runs.map(({ state }) => state)).toEqual([
      ...['unchanged', 'unchanged', 'new'],
      ...['unchanged', 'unchanged', 'new'],
    ])
  })

  test('that is killed goes on together, and ends in the same bytes', async () => {
    const args = ['train', '-c', file('killed.yaml', yaml), '--capture', capture(), ...common]
    const { child, ended } = startCli(args, { env: { PIPELINE_RUNS: join(folder, 'killed') } })
    const reached = () =>
      existsSync(join(folder, 'killed')) &&
      readdirSync(join(folder, 'killed')).filter(run => existsSync(join(folder, 'killed', run, 'checkpoints')))
        .length === 4
    while (child.exitCode === null && !reached()) await sleep(5)
    child.kill('SIGKILL')
    expect((await ended).code).toBe(null)
    const { runs } = await ok<StageResults>('killed', ...args)
    expect(runs.map(({ state }) => state)).toEqual(Array(4).fill('resumed'))
    for (const { run, directory } of runs) expect(bytesOf(directory)).toEqual(bytesOf(join(folder, 'together', run)))
  })
})

describe('a list', () => {
  test('gives each entry its own keys, name and grid; seeds share the order of rows', async () => {
    const path = file(
      'list.yaml',
      `
saes:
  - { name: wide, latents: 48, k: 4 }
  - { architecture: jumprelu, grid: { targetL0: [2, 4] }, learningRate: 0.01 }
  - { k: 3, seed: 7 }
`,
    )
    const { runs } = await ok<StageResults>('together', 'train', '-c', path, '--capture', 'cap', ...common)
    expect(runs.map(({ label }) => label)).toEqual([
      'wide',
      'architecture jumprelu, learningRate 0.01, targetL0 2',
      'architecture jumprelu, learningRate 0.01, targetL0 4',
      'seed 7, k 3',
    ])
    expect(runs[0]).toMatchObject({ run: 'wide', summary: { latents: 48 } })
    const seeded = manifest(runs[3]!.directory)
    expect(seeded).toMatchObject({ seed: 7, config: { seed: 7, orderSeed: 0, latents: 32 } })
    const same = await ok(
      'together',
      ...['train', '--capture', 'cap', '--k', '3', '--seed', '7', '--orderSeed', '0'],
      ...common,
    )
    expect(same).toMatchObject({ state: 'unchanged', run: seeded.id })
  })

  test.each([
    [
      'grid: { architecture: [topk, jumprelu], k: [2, 4] }',
      'SAE architecture jumprelu, k 2: train key k does not apply to the architecture jumprelu.',
      'Architectures with other keys go into entries of `saes`',
    ],
    ['grid: { k: [2, 99] }', 'SAE k 99: k must be at most latents, but k is 99 and latents is 32.', 'Lower k'],
    ['saes: [{ k: 2 }, { k: 2 }]', 'The SAEs k 2 and k 2 are the same.', 'Leave one of them out'],
    ['saes: [{ kk: 2 }]', 'train has no key saes.0.kk', 'Did you mean'],
    ['grid: { kk: [2] }', 'train has no key grid.kk', 'Did you mean grid.k?'],
  ])('that is wrong is refused in a sentence, and leaves no run: %s', async (text, message, fix) => {
    const args = ['train', '-c', file('wrong.yaml', text), '--capture', capture(), ...common]
    const { code, stderr } = await cli('wrong', ...args)
    expect(code, stderr).toBe(1)
    expect(stderr).toContain(message)
    expect(stderr).toContain(fix)
    const left = existsSync(join(folder, 'wrong')) ? readdirSync(join(folder, 'wrong')) : []
    expect(left).toEqual([])
  })
})

describe('optimisers and schedules', () => {
  const yaml = `
latents: 32
batchTokens: 128
tokens: 5120
learningRate: 0.01
logEvery: 1
saes:
  - { name: adam, k: 4, schedule: constant, warmUp: 5 }
  - { name: clipped, k: 4, schedule: constant, warmUp: 5, gradientClip: 0.01 }
  - { name: adamw, k: 4, optimiser: adamw, weightDecay: 0.01, beta2: 0.99, schedule: linear, decay: 0.5, finalRate: 0.1 }
  - { name: signum, k: 4, optimiser: signum, learningRate: 0.002, schedule: cosine, warmUp: 4, warmUpFromZero: true }
  - { name: annealed, k: 2, kAnneal: 10, kFrom: 16 }
  - { name: warmed, architecture: standard, sparsityWarmUp: 8 }
`
  const records = (name: string): Record<string, number>[] =>
    readFileSync(join(folder, 'together', name, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
  const column = (name: string, key: string) => records(name).map(record => record[key]!)

  test('do from a file what their names say', async () => {
    const { runs } = await ok<StageResults>(
      'together',
      ...['train', '-c', file('schedules.yaml', yaml), '--capture', 'cap'],
    )
    for (const { run } of runs) {
      const fvu = column(run, 'fvu')
      expect(fvu).toHaveLength(40)
      expect(fvu.at(-1), run).toBeLessThan(0.8 * fvu[0]!)
    }
    const constant = column('adam', 'learningRate')
    expect(constant.slice(0, 5).map(rate => Number(rate.toFixed(4)))).toEqual([0.002, 0.004, 0.006, 0.008, 0.01])
    expect(new Set(constant.slice(5))).toEqual(new Set([0.01]))
    const linear = column('adamw', 'learningRate')
    expect(linear[19]).toBe(0.01)
    expect(linear[39]).toBeCloseTo(0.01 * (0.1 + 0.9 / 20), 9)
    const cosine = column('signum', 'learningRate')
    expect(cosine[0]).toBe(0)
    for (let step = 5; step < 40; step++) expect(cosine[step]).toBeLessThan(cosine[step - 1]!)
    const weights = (name: string) => bytesOf(join(folder, 'together', name))['sae_weights.safetensors']
    expect(weights('clipped')).not.toBe(weights('adam'))
    expect(column('clipped', 'gradientNorm')[0]).toBeGreaterThan(0.01)
    const annealed = column('annealed', 'l0')
    expect(annealed[0]).toBeGreaterThan(8)
    expect(Math.max(...annealed.slice(10))).toBeLessThanOrEqual(2)
    const sparsity = column('warmed', 'sparsity')
    expect(sparsity[0]).toBe(0)
    expect(sparsity[8]).toBeGreaterThan(0)
  })

  test.each([
    [
      'optimiser: adam\nweightDecay: 0.1',
      'train key weightDecay is of the optimiser adamw, and the optimiser is adam.',
    ],
    ['schedule: cosine\ndecay: 0.5', 'train key decay says when the schedule linear begins to fall'],
    ['kAnneal: 5\nkFrom: 99\nlatents: 32\nk: 4', 'train key kFrom is 99, but there are only 32 latents.'],
    ['warmUp: 0.9\nbatchTokens: 128', 'The learning rate rises for'],
  ])('that contradict each other are refused in a sentence: %j', async (text, message) => {
    const { code, stderr } = await cli('wrong', 'train', '-c', file('contradiction.yaml', text), '--capture', capture())
    expect(code, stderr).toBe(1)
    expect(stderr).toContain(message)
    expect(stderr).toContain('fix: ')
  })
})

test('the stability of one SAE in another is a table that labels join', async () => {
  const table = join(folder, 'stability.parquet')
  const [a, b] = ['adam', 'clipped'].map(name => join(folder, 'together', name))
  const found = await ok<Record<string, unknown>>(
    'together',
    'sae',
    'compare',
    a!,
    b!,
    '--draws',
    '3',
    '--output',
    table,
  )
  expect(found).toMatchObject({ exact: true, output: table, mccBound: found.mcc })
  const { directory } = await ok('together', 'label', '--sae', a!, '--stability', table, '--tokens', '2000')
  const { stability } = await readTable(join(directory, 'features.parquet'), {
    columns: ['stability'],
    schema: labelsSchema,
  })
  expect(stability).toEqual(found.stability)
  const wrong = await cli('together', 'label', '--sae', b!, '--stability', table, '--tokens', '2000')
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).toContain('is about another SAE')
})

test('in a pipeline file, what follows is done for each SAE', async () => {
  const path = file(
    'pipeline.yaml',
    `
name: several
model: ${join(folder, 'model')}
dataset: { path: toyworld, documents: 60 }
capture: { sites: [blocks.0.hook_resid_post] }
train: { grid: { k: [2, 4] }, latents: 32, batchTokens: 128 }
label: { tokens: 1000 }
`,
  )
  const { code, stdout, stderr } = await cli('pipeline', 'run', path, '--json')
  expect(code, stderr).toBe(0)
  const { stages } = JSON.parse(stdout) as { stages: (StageResult & { label?: string })[] }
  expect(stages.map(({ stage, label }) => [stage, label])).toEqual([
    ['capture', undefined],
    ['train', 'k 2'],
    ['train', 'k 4'],
    ['label', 'k 2'],
    ['label', 'k 4'],
  ])
  for (const i of [1, 2])
    expect(manifest(stages[i + 2]!.directory).inputs).toContainEqual(
      expect.objectContaining({ role: 'sae', run: stages[i]!.run }),
    )
})
