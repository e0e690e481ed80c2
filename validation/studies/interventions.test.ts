import { describe, expect, test } from 'vitest'
import { conceptCount, conceptOf, fakeDataset } from '../../latents/fake.fixture.ts'
import { answerLogits, plantedModel, plantedSae, unitRow } from '../../latents/planted.fixture.ts'
import { ValidateConfig } from '../config.ts'
import { readIntervention } from '../interventions/written.ts'
import { benchOf, studied, testedBy } from './bench.fixture.ts'
import { interventions } from './interventions.ts'

/** Coordinate c is 1 at cues of concept c and raises its answers' logits by 3; the last coordinate is 1 everywhere. */
const width = conceptCount + 1
const { tested, bench, foundOf } = studied(interventions, async () => {
  const model = plantedModel(
    width,
    token => Array.from({ length: width }, (_, i) => (i === conceptCount || i === conceptOf(token) ? 1 : 0)),
    x => answerLogits(x.slice([0, 0], [-1, conceptCount]).mul(3)),
  )
  // f = 0.75 where the concept's coordinate is 1; the edit acts along it, and latent 6 along nothing that is read.
  const sae = plantedSae(Array.from({ length: width }, (_, i) => unitRow(width, i)))
  return benchOf(model, sae, fakeDataset(120), { latents: [0, 1, conceptCount] })
})

const kind = (latent: number, name: string) => foundOf(latent).kinds.find(({ intervention }) => intervention === name)!

describe('a latent whose coordinate is read', () => {
  test('is moved by each kind as far as the sum says', () => {
    // The logits of four answers move by 3 · change, and the target is linear in the logits.
    const zero = kind(0, 'zero').target.mean!
    expect(zero).toBeLessThan(-0.1)
    const share = (name: string) => kind(0, name).target.mean! / zero
    expect(share('scale')).toBeCloseTo(0.5, 4)
    expect(share('clamp')).toBeCloseTo(0.75, 4)
    // The direction is taken out whole, with the quarter that the threshold keeps from the latent.
    expect(share('project')).toBeCloseTo(1 / 0.75, 4)
    expect(share('set')).toBeCloseTo(-1, 4)
    expect(share('add')).toBeCloseTo(-1, 4)
    expect(share('set@last')).toBeCloseTo(-1, 4)
    const plan = bench().plans.find(({ claim }) => claim.feature === 0)!
    const { density } = plan.claim.discovery
    expect(share('mean')).toBeCloseTo(1 - density, 4)
    expect(kind(0, 'zero').norm).toBeCloseTo(0.75, 5)
    expect(kind(0, 'mean').share!.ratio).toBeCloseTo(1 - density, 4)
    expect(foundOf(0).agree).toBe(true)
  })

  test('takes the place of another document’s value by a lot that is the same again', async () => {
    const again = await testedBy(interventions, bench())
    expect(again.map(({ rows }) => rows)).toEqual(tested.map(({ rows }) => rows))
    const share = kind(0, 'resample').target.mean! / kind(0, 'zero').target.mean!
    expect(share).toBeGreaterThan(0)
    expect(share).toBeLessThanOrEqual(1 + 1e-6)
  })
})

test('a direction that nothing reads agrees with no claim', () => {
  const found = foundOf(conceptCount)
  expect(found.agree).toBe(false)
  for (const { target } of found.kinds) expect(target.mean).toBeCloseTo(0, 6)
})

describe('settings', () => {
  test('name kinds with strengths and positions', () => {
    expect(readIntervention('add:-2@3-7')).toMatchObject({ strength: -2, positions: { from: 3, to: 7 } })
    expect(readIntervention('scale')).toMatchObject({ strength: 0.5, positions: 'active' })
    expect(readIntervention('zero@all')).toMatchObject({ strength: 0, positions: 'all' })
  })

  test('that name none are refused with what is wrong', () => {
    expect(readIntervention('abblate')).toContain('“abblate” is no intervention')
    expect(readIntervention('zero:2')).toContain('names a strength, but zero has none')
    expect(readIntervention('set:')).toContain('is no strength')
    expect(readIntervention('set@0-4')).toContain('names no positions')
    expect(readIntervention('set@active')).toContain('where the latent is silent')
    expect(() => ValidateConfig.parse({ interventions: ['zero', 'cut'] })).toThrow('“cut” is no intervention')
  })
})
