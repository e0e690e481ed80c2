import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import { conceptCount, conceptOf, fakeDataset } from '../../latents/fake.fixture.ts'
import { answerLogits, plantedModel, plantedSae, unitRow } from '../../latents/planted.fixture.ts'
import type { Model } from '../../model/model.ts'
import type { Sae } from '../../sae/sae.ts'
import { ValidateConfig } from '../config.ts'
import type { FeatureEvidence } from '../evidence.ts'
import { assemble } from '../judging/assemble.ts'
import type { EffectRow } from '../rows.ts'
import { benchOf, settingsOf } from '../studies/bench.fixture.ts'
import { ceiling } from '../studies/ceiling.ts'
import { dormant } from '../studies/dormant.ts'
import { interchange } from '../studies/interchange.ts'
import { interventions } from '../studies/interventions.ts'
import { testLatents } from '../test-latents.ts'
import { reachIn } from './edits.ts'

/** Coordinate c is 1 at cues of concept c and raises its answers; f = x, so that what the latent says is all there is along it. */
const width = 40
let model: Model
let sae: Sae

beforeAll(async () => {
  await startEngine()
  model = plantedModel(
    width,
    token =>
      [...new Random('noise', token).normals(width, 0.1)].map((x, i) =>
        i >= conceptCount ? x : conceptOf(token) === i ? 1 : 0,
      ),
    x => answerLogits(x.slice([0, 0], [-1, conceptCount]).mul(3)),
  )
  sae = plantedSae(
    Array.from({ length: width }, (_, i) => unitRow(width, i)),
    undefined,
    0,
  )
})
afterAll(() => {
  model.dispose()
  sae.dispose()
})

/** The main test's rows of latent 0 under these settings. */
async function rowsOf(settings: Readonly<Record<string, unknown>>): Promise<readonly EffectRow[]> {
  const bench = await benchOf(model, sae, fakeDataset(90), { latents: [0], documents: 5, ...settings })
  const before = tf.memory().numTensors
  const [measured] = await testLatents(bench.context, bench, bench.working)
  const { rows } = measured!
  expect(tf.memory().numTensors).toBe(before)
  return rows
}
const of = (rows: readonly EffectRow[], control: string, intervention = 'ablate') =>
  rows.filter(row => row.control === control && row.intervention === intervention)
const targets = (rows: readonly EffectRow[]) => rows.map(({ target }) => target)

describe('the main test', () => {
  test('does the same where two kinds come to the same, with the latent and with every control', async () => {
    const zero = await rowsOf({})
    expect(of(zero, 'tied').length).toBeGreaterThan(20)
    expect(await rowsOf({ ablation: 'scale:0', steering: 'set' })).toEqual(zero)
    expect(await rowsOf({ ablation: 'clamp:0' })).toEqual(zero)
    const project = await rowsOf({ ablation: 'project' })
    targets(of(project, 'feature')).forEach((target, i) => {
      expect(target).toBeCloseTo(targets(of(zero, 'feature'))[i]!, 5)
    })
    // A random direction fires above a threshold; what lies along it is more than what it says.
    const norm = (rows: readonly EffectRow[]) => of(rows, 'tied').reduce((sum, row) => sum + row.norm, 0)
    expect(norm(project)).toBeGreaterThan(1.2 * norm(zero))
    expect(of(project, 'tied').length).toBeGreaterThan(20)
  })

  test('takes less away by half, by the mean and by another document’s value, of the controls too', async () => {
    const zero = await rowsOf({})
    const half = await rowsOf({ ablation: 'scale:0.5' })
    for (const control of ['feature', 'tied', 'random'])
      of(half, control).forEach(({ norm }, i) => {
        expect(norm).toBeCloseTo(of(zero, control)[i]!.norm / 2, 5)
      })
    for (const ablation of ['mean', 'resample']) {
      const found = await rowsOf({ ablation })
      for (const control of ['feature', 'tied', 'random']) {
        const sum = (rows: readonly EffectRow[]) => of(rows, control).reduce((total, { norm }) => total + norm, 0)
        expect(sum(found)).toBeGreaterThan(0)
        expect(sum(found)).toBeLessThanOrEqual(sum(zero) * 1.001)
        if (ablation === 'mean') expect(sum(found)).toBeLessThan(sum(zero))
      }
    }
  })

  test('steers at the positions that settings name, and says in its claim what it does', async () => {
    const steered = of(await rowsOf({ steering: 'add@last', primary: 'steer' }), 'feature', 'steer')
    expect(new Set(steered.map(({ positions }) => positions))).toEqual(new Set([1]))
    const bench = await benchOf(model, sae, fakeDataset(90), { latents: [0], documents: 5, ablation: 'project' })
    expect(bench.plans[0]!.claim.hypothesis).toContain(
      'taking its direction out of the values where it is active lowers',
    )
  })
})

test('settings that cannot be are refused with what is wrong', () => {
  expect(() => ValidateConfig.parse({ ablation: 'set' })).toThrow('ablation does the opposite')
  expect(() => ValidateConfig.parse({ steering: 'zero' })).toThrow('steering does the opposite')
  expect(() => ValidateConfig.parse({ steering: 'set:2' })).toThrow('steering has those of doses and dose')
  expect(() => ValidateConfig.parse({ ablation: 'remove' })).toThrow('is no intervention')
})

test('values reach along a direction of any length as far in its lengths, and along one of zeros not at all', () => {
  const window = fakeDataset(1).windows.at(0)!
  const length = window.tokens.length
  const row = new Random('direction').normals(width)
  // The square of a row as short as the second is no number of float32 but 0.
  const scales = [1, 2 ** -80, 0, 3]
  const rows = Float32Array.from(scales.flatMap(scale => Array.from(row, value => value * scale)))
  const found = reachIn(model, sae.metadata.hook_name, window, rows)
  const [own, short, none, long] = scales.map((_, i) => found.slice(i * length, (i + 1) * length))
  expect(own!.some(value => Math.abs(value) > 0.01)).toBe(true)
  expect(Array.from(short!, value => value * 2 ** -80)).toEqual([...own!])
  expect([...none!]).toEqual(new Array(length).fill(0))
  for (let p = 0; p < length; p++) expect(3 * long![p]!).toBeCloseTo(own![p]!, 5)
})

test('a latent whose decoder row is all zeros fails, and no study asks for what lies along it', async () => {
  const rows = Array.from({ length: width }, (_, i) => unitRow(width, i))
  const nothing = plantedSae(rows, [new Array<number>(width).fill(0), ...rows.slice(1)], 0)
  const bench = await benchOf(model, nothing, fakeDataset(90), { latents: [0], documents: 5, ablation: 'project' })
  const measured = await testLatents(bench.context, bench, bench.working)
  const [{ verdict, ablate }] = assemble(measured, settingsOf(bench)) as [FeatureEvidence]
  expect(ablate!.metrics.target.effect).toMatchObject({ mean: 0, low: 0, high: 0 })
  expect(verdict).toBe('fail')
  for (const { measure } of [ceiling, dormant, interventions, interchange])
    expect(await measure(bench, bench.plans[0]!)).toEqual([])
  nothing.dispose()
})
