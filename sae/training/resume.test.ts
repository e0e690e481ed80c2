/** Training that is cut at any step and started again ends in the bytes of one that was left alone. */
import { copyFile, cp, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hashPath } from '../../core/hash.ts'
import { type Progress, silent } from '../../core/progress.ts'
import { Random } from '../../core/random.ts'
import { memoryMetrics } from '../../core/stage.ts'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import { architectureNames } from '../architectures/index.ts'
import { fusedStepper } from '../step/fused/index.ts'
import { resolveTraining } from './config.ts'
import { checkpointEvery, configOf, steps, trainInto, variants } from './kill.fixture.ts'
import { makePlan } from './plan.ts'
import { plantedCapture } from './planted.fixture.ts'

let folder: string
let count = 0
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'sae-resume-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
const fresh = () => join(folder, String(count++))

const cut = new Error('cut')
const cutAt = (at: number) => (step: number) => {
  if (step === at) throw cut
}

/** Whether the settings come to a fused stepper here. */
function isFused(variant: string): boolean {
  const config = configOf(variant)
  const resolved = resolveTraining(config)
  const capture = plantedCapture({ rows: 9, width: 8, features: 2, active: 1, seed: 1, sites: ['a', 'b'] })
  const { settings } = makePlan(resolved, config, capture, 3)
  return fusedStepper(resolved.architecture, resolved.own, settings) !== undefined
}

const long = Boolean(process.env.PIPELINE_LONG)
/** Variants whose running numbers another variant has as well. */
const alike = [
  'k-annealing of batches',
  'sparsity warm-up of JumpReLU',
  'the preset of SAELens',
  'the preset of sparsify',
]

test('every architecture is among the trainings that are cut', () => {
  expect(new Set(Object.values(variants).map(({ architecture }) => architecture))).toEqual(new Set(architectureNames))
})

describe.each([
  ['fused', true],
  ['plain', false],
])('%s steps', (_, fused) => {
  test.for(Object.keys(variants))('%s', { timeout: 60_000 }, async (variant, { skip }) => {
    if (fused && !isFused(variant)) skip('no fused step computes this here')
    if (!fused && !long && variant !== 'topk' && isFused(variant)) skip('its fused steps are cut; npm run test:long')
    if (!long && alike.includes(variant)) skip('a sibling is cut; npm run test:long')
    const config = configOf(variant, { fused })
    const before = tf.memory().numTensors
    const [whole, parts] = [fresh(), fresh()]
    const [wholeMetrics, partMetrics] = [memoryMetrics(), memoryMetrics()]
    await trainInto(whole, config, { metrics: wholeMetrics })

    const random = new Random(5, variant, String(fused))
    // Before the first checkpoint, between two, right after one, and in the last step.
    const all = [random.int(checkpointEvery), checkpointEvery + random.int(steps - checkpointEvery - 1), steps - 1]
    // One is enough for each, and all variants together have all three.
    const cuts = long ? all : [all[Object.keys(variants).indexOf(variant) % 3]!]
    for (const at of cuts)
      await expect(trainInto(parts, config, { metrics: partMetrics, onStep: cutAt(at) })).rejects.toBe(cut)
    const taken: number[] = []
    await trainInto(parts, config, { metrics: partMetrics, onStep: step => taken.push(step) })
    // It went on from the newest checkpoint and took no step before it again.
    expect(taken[0]).toBe(Math.floor(cuts.at(-1)! / checkpointEvery) * checkpointEvery)
    expect(await hashPath(parts)).toBe(await hashPath(whole))
    expect(partMetrics.records).toEqual(wholeMetrics.records)
    expect(wholeMetrics.lines).toBe(steps)
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe('checkpoints', () => {
  const config = () => configOf('batchtopk')
  let whole: string
  let cutDirectory: string
  beforeAll(async () => {
    whole = await hashOfWhole()
    cutDirectory = fresh()
    await expect(trainInto(cutDirectory, config(), { onStep: cutAt(10) })).rejects.toBe(cut)
  })
  let directory: string
  beforeEach(async () => {
    directory = fresh()
    await cp(cutDirectory, directory, { recursive: true })
  })
  const hashOfWhole = async () => {
    const path = fresh()
    await trainInto(path, config())
    return hashPath(path)
  }
  const file = (step: number, kind: 'json' | 'safetensors') =>
    join(directory, 'checkpoints', `step-${String(step).padStart(9, '0')}.${kind}`)

  /** Goes on with what is there: the first step it takes, and what it says. */
  const resumed = async () => {
    const notes: string[] = []
    let first = -1
    const progress: Progress = { ...silent, note: text => notes.push(text) }
    const onStep = (step: number) => {
      if (first < 0) first = step
    }
    const metrics = memoryMetrics()
    for (let line = 0; line < 11; line++) metrics.append({ line })
    await trainInto(directory, config(), { progress, onStep, metrics })
    expect(await hashPath(directory)).toBe(whole)
    return { first, notes }
  }

  test('are kept by the newest two, and gone at the end', async () => {
    expect((await readdir(join(directory, 'checkpoints'))).sort()).toEqual(
      [6, 9].flatMap(step => ['json', 'safetensors'].map(kind => `step-00000000${step}.${kind}`)),
    )
    expect(await resumed()).toEqual({ first: 9, notes: [] })
    expect((await readdir(directory)).sort()).toEqual(['cfg.json', 'sae_weights.safetensors', 'sparsity.safetensors'])
  })

  test('are kept by as many as asked for', async () => {
    const path = fresh()
    const more = configOf('batchtopk', { keepCheckpoints: 3 })
    await expect(trainInto(path, more, { onStep: cutAt(13) })).rejects.toBe(cut)
    const kept = (await readdir(join(path, 'checkpoints'))).filter(name => name.endsWith('.json')).sort()
    expect(kept).toEqual([6, 9, 12].map(step => `step-${String(step).padStart(9, '0')}.json`))
  })

  test.each<[string, () => Promise<void>]>([
    ['cut while its weights were written', () => rm(file(9, 'json'))],
    ['with fewer bytes', () => truncate(file(9, 'safetensors'), 500)],
    ['without its weights', () => rm(file(9, 'safetensors'))],
    ['with the weights of another', () => copyFile(file(6, 'safetensors'), file(9, 'safetensors'))],
    ['whose JSON is cut', () => truncate(file(9, 'json'), 20)],
    ['whose JSON is empty', () => writeFile(file(9, 'json'), '')],
    ['whose JSON is of a newer schema', () => writeFile(file(9, 'json'), '{"schema": 2}')],
  ])('%s are passed over for the one before, with a notice', async (_, damage) => {
    await damage()
    const { first, notes } = await resumed()
    expect(first).toBe(6)
    expect(notes).toEqual([
      expect.stringMatching(/^The checkpoint of step 9 is damaged and is passed over: [^\n]+$/),
      'Training goes on from the checkpoint of step 6.',
    ])
  })

  test('that are all damaged make it start anew, with a notice', async () => {
    for (const step of [6, 9]) await truncate(file(step, 'safetensors'), 100)
    const { first, notes } = await resumed()
    expect(first).toBe(0)
    expect(notes).toHaveLength(3)
    expect(notes[2]).toBe('No checkpoint is whole: training starts anew.')
  })

  test('half-written under another name are cleared away', async () => {
    await writeFile(`${file(12, 'safetensors')}.123.partial`, 'half')
    expect(await resumed()).toEqual({ first: 9, notes: [] })
  })

  test('of other settings are not taken up', async () => {
    const other = configOf('batchtopk', { k: 3 })
    let first = -1
    const onStep = (step: number) => {
      if (first < 0) first = step
    }
    await trainInto(directory, other, { onStep })
    expect(first).toBe(0)
  })
})
