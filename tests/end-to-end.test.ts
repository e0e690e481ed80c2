/** From text to report through the command line, and every stage killed at several points: the bytes are the same. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { RunManifest } from '../runs/run.ts'
import { type CliResult, runCli, runHere, startCli } from './cli.ts'
import { writeTinyModel } from './tiny-model.ts'

vi.setConfig({ testTimeout: 300_000 })

const isLong = process.env.PIPELINE_LONG !== undefined
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-end-to-end-'))
  await writeTinyModel(join(folder, 'model'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const store = (name: string) => join(folder, name)
/** A run that nothing cut; the cut ones are made from these as well. */
const whole = (stage: string) => join(folder, 'whole', stage)
/** In this process, but for what starts others. */
function pipeline(runs: string, args: readonly string[]): Promise<CliResult> {
  const env = { PIPELINE_RUNS: store(runs) }
  return args[0] === 'run' ? runCli(args, { env }) : runHere(args, env)
}

async function ok(result: Promise<CliResult>): Promise<CliResult> {
  const done = await result
  expect(done.code, done.stderr).toBe(0)
  return done
}

const manifest = (directory: string): RunManifest => JSON.parse(readFileSync(join(directory, 'run.json'), 'utf8'))

/** Content of each file of a run but its manifest, whose times differ. */
function bytesOf(directory: string): Record<string, string> {
  const entries = readdirSync(directory, { withFileTypes: true, recursive: true }).filter(entry => entry.isFile())
  const files = entries.map(entry => join(entry.parentPath, entry.name))
  return Object.fromEntries(
    files
      .map(path => [path.slice(directory.length + 1), readFileSync(path).toString('base64')] as const)
      .filter(([name]) => name !== 'run.json')
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

/** Starts a command and kills it, as kill -9 does, once `reached` holds. Whether it was killed before it ended. */
async function killWhen(runs: string, args: readonly string[], reached: () => boolean): Promise<boolean> {
  const { child, ended } = startCli(args, { env: { PIPELINE_RUNS: store(runs) } })
  const watch = (async () => {
    while (child.exitCode === null && !reached()) await sleep(2)
    child.kill('SIGKILL')
  })()
  const { code } = await ended
  await watch
  return code === null
}

interface Stage {
  readonly stage: string
  readonly flags: () => string
  /** Moments, in order, by what is in the run's directory. */
  readonly moments: Readonly<Record<string, (files: readonly string[], directory: string) => boolean>>
}

const lines = (directory: string, name: string) => readFileSync(join(directory, name), 'utf8').split('\n').length - 1
const count = (files: readonly string[], pattern: RegExp) => files.filter(name => pattern.test(name)).length

const stages: readonly Stage[] = [
  {
    stage: 'capture',
    flags: () =>
      `--dataset toyworld --dataset.documents 160 --sites blocks.0.hook_resid_post --strata language,position --shardRows 200 --batchTokens 256`,
    moments: {
      'it has begun': files => files.includes('run.json'),
      'a shard is half-written': files => count(files, /\.arrow.*\.partial$/) > 0,
      'some shards are there': files => count(files, /\.arrow$/) >= 3,
    },
  },
  {
    stage: 'train',
    flags: () =>
      `--capture ${whole('capture')} --latents 32 --k 4 --batchTokens 128 --epochs 8 --checkpointEvery 20 --logEvery 1`,
    moments: {
      'it has begun': files => files.includes('run.json'),
      'steps after a checkpoint are done': (files, at) =>
        count(files, /^checkpoints\//) > 0 && lines(at, 'metrics.jsonl') % 20 >= 5,
      'the weights are being saved': files => count(files, /^sae_weights/) > 0,
    },
  },
  {
    stage: 'validate',
    flags: () =>
      `--sae ${whole('train')} --latents 2 --documents 6 --controls.tied 19 --controls.random 19 --controls.foreign 19 --shuffles 99 --bootstrap 200 --tokens 2000 --maxTokens 2000 --studies interventions`,
    moments: {
      'it has begun': files => files.includes('run.json'),
      'the claims are written': files => files.includes('claims.json'),
    },
  },
  {
    stage: 'label',
    flags: () => `--sae ${whole('train')} --evidence ${whole('validate')} --tokens 2000`,
    moments: {
      'it has begun': files => files.includes('run.json'),
      'its first file is written': files => count(files, /^(features|examples)/) > 0,
    },
  },
  {
    stage: 'report',
    flags: () => `--sae ${whole('train')} --evidence ${whole('validate')} --labels ${whole('label')}`,
    moments: { 'it has begun': files => files.includes('run.json') },
  },
]

function argumentsOf({ stage, flags }: Stage): string[] {
  const model = stage === 'capture' ? ['--model', join(folder, 'model')] : []
  return [stage, ...model, ...flags().split(' '), '--name', stage]
}

describe('kill -9', () => {
  /** Trainings that are cut are in train-grid.test.ts, too; what comes after validate is made in seconds. All in test:long. */
  const cut = isLong ? stages : stages.filter(({ stage }) => ['capture', 'validate'].includes(stage))
  beforeAll(async () => {
    for (const made of ['capture', 'train'])
      await ok(pipeline('whole', argumentsOf(stages.find(({ stage }) => stage === made)!)))
  })

  test.each(cut)('at any of several moments of $stage, and the same command ends in the same bytes', async part => {
    const args = argumentsOf(part)
    await ok(pipeline('whole', args))
    const directory = join(store('cut'), part.stage)
    let kills = 0
    // The last moment is of what only this stage writes; test:long takes them all.
    const moments = Object.entries(part.moments)
    for (const [moment, reached] of isLong ? moments : moments.slice(-1)) {
      const killed = await killWhen('cut', args, () => {
        try {
          return existsSync(directory) && reached(namesIn(directory), directory)
        } catch {
          return false // a file went away between two looks
        }
      })
      if (!killed) break
      kills++
      expect(manifest(directory).status, moment).toBe('running')
    }
    expect(kills).toBeGreaterThan(0)
    await ok(pipeline('cut', args))
    expect(bytesOf(directory)).toEqual(bytesOf(whole(part.stage)))
    const { files, key } = manifest(whole(part.stage))
    expect(manifest(directory)).toMatchObject({ status: 'finished', files, key })
  })
})

function namesIn(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(directory.length + 1))
}

test('Ctrl-C ends with code 4 and a run that goes on', async () => {
  await ok(pipeline('whole', argumentsOf(stages[0]!)))
  const args = ['train', ...stages[1]!.flags().split(' '), '--seed', '7', '--name', 'interrupted']
  const { child, ended } = startCli(args, { env: { PIPELINE_RUNS: store('whole') } })
  const metrics = join(store('whole'), 'interrupted/metrics.jsonl')
  while (child.exitCode === null && !(existsSync(metrics) && readFileSync(metrics).length > 0)) await sleep(5)
  child.kill('SIGINT')
  const { code, stderr } = await ended
  expect({ code, stderr }).toEqual({ code: 4, stderr: expect.stringContaining('goes on') })
  expect(manifest(join(store('whole'), 'interrupted')).status).toBe('interrupted')
  expect((await ok(pipeline('whole', args))).stdout).toContain('train interrupted: resumed and finished')
})

describe('a pipeline file', () => {
  const file = () => {
    const path = join(folder, 'small.yaml')
    writeFileSync(
      path,
      `name: small
model: toyworld
dataset: { path: toyworld, documents: 120 }
capture: { sites: [blocks.1.hook_resid_post], strata: [language] }
train: { latents: 64, k: 4, epochs: ${isLong ? 3 : 1}, batchTokens: 512 }
validate: { latents: 2, documents: 6, controls: { tied: 19, random: 19, foreign: 19 }, shuffles: 99, bootstrap: 200, tokens: 3000, maxTokens: 3000, studies: [halves] }
label: { tokens: 3000 }
report: {}
`,
    )
    return path
  }
  const stageNames = ['capture', 'train', 'validate', 'label', 'report']

  test('goes from text to a report', async () => {
    const { stdout } = await ok(pipeline('small', ['run', file()]))
    for (const stage of stageNames) expect(stdout).toMatch(new RegExp(`^${stage} +small-${stage}-`, 'm'))
    const report = /^Report: (.*)$/m.exec(stdout)![1]!
    expect(readFileSync(report, 'utf8')).toMatch(/^<!doctype html>/i)
  })

  test.skipIf(!isLong)('is not done again', async () => {
    const { stdout } = await ok(pipeline('small', ['run', file(), '--json']))
    const { stages } = JSON.parse(stdout)
    expect(stages.map(({ stage, state }: { stage: string; state: string }) => [stage, state])).toEqual(
      stageNames.map(stage => [stage, 'unchanged']),
    )
  })

  test('does again what depends on a changed setting, and nothing else', async () => {
    // Each stage is a process, the unchanged ones as well: the report only in test:long.
    const until = isLong ? 'report' : 'label'
    const { stdout } = await ok(
      pipeline('small', ['run', file(), '--label.topExamples', '3', '--until', until, '--json']),
    )
    const states = JSON.parse(stdout).stages.map(({ state }: { state: string }) => state)
    expect(states).toEqual(['unchanged', 'unchanged', 'unchanged', 'new', ...(isLong ? ['new'] : [])])
  })

  test.skipIf(!isLong)('killed as a whole goes on to the same bytes', async () => {
    const trained = () => existsSync(store('again')) && readdirSync(store('again')).some(id => id.includes('-train-'))
    expect(await killWhen('again', ['run', file()], trained)).toBe(true)
    await ok(pipeline('again', ['run', file()]))
    for (const id of readdirSync(store('again')))
      expect(bytesOf(join(store('again'), id))).toEqual(bytesOf(join(store('small'), id)))
  })

  test.skipIf(!isLong)(
    'labels that went out in the form of another tool come back as claims, which are put to the causal test',
    async () => {
      const runs = readdirSync(store('small'))
      const [train, labelled] = ['-train-', '-label-'].map(stage => runs.find(id => id.includes(stage))!)
      const [out, claims] = [join(folder, 'for-neuronpedia'), join(folder, 'imported.yaml')]
      await ok(pipeline('small', `export labels --run ${labelled} --to neuronpedia --output ${out}`.split(' ')))
      // A concept may be one that this little text cannot tell; what follows where a latent is active can always be claimed.
      const lines = readFileSync(join(store('small'), labelled!, 'features.jsonl'), 'utf8')
        .trimEnd()
        .split('\n')
      const told = lines
        .map(line => JSON.parse(line))
        .filter(({ labelKind }) => ['token', 'previous-token'].includes(labelKind))
      const latents = told.slice(0, 2).map(({ latent }) => latent)
      const imported = await ok(
        pipeline('small', [
          ...`import labels --from neuronpedia --path ${out} --sae ${train} --output ${claims}`.split(' '),
          ...['--latents', JSON.stringify(latents), '--json'],
        ]),
      )
      expect(JSON.parse(imported.stdout)).toMatchObject({ claims: 2, proof: 'hash' })
      const settings =
        '--documents 6 --controls.tied 19 --controls.random 19 --controls.foreign 19 --shuffles 99 --bootstrap 200 --tokens 3000 --maxTokens 3000 --studies []'
      const { code } = await pipeline(
        'small',
        `validate --sae ${train} --claimsFile ${claims} --name imported ${settings}`.split(' '),
      )
      expect([0, 2, 3]).toContain(code)
      const { features } = JSON.parse(readFileSync(join(store('small'), 'imported', 'evidence.json'), 'utf8'))
      expect(features.map(({ claim }: { claim: { feature: number } }) => claim.feature)).toEqual(latents)
      for (const { claim } of features)
        expect(claim.hypothesis).toMatch(new RegExp(`^Latent ${claim.feature} is about: `))
    },
  )

  test('and all of it verifies', async () => {
    const report = readdirSync(store('small')).find(id => id.includes('-report-'))!
    await ok(pipeline('small', ['runs', 'verify', report]))
  })
})
