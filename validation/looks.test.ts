import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../core/random.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { startEngine } from '../engine/engine.ts'
import { tf } from '../engine/tf.ts'
import type { Interventions } from '../latents/interventions.ts'
import { mainEdits } from './claims/edits.ts'
import { ValidateConfig } from './config.ts'
import { analyseIntervention } from './judging/analyse.ts'
import { looksOf } from './judging/looks.ts'
import { pairedDifference } from './judging/paired.ts'
import { measureLatent } from './measure-latent.ts'
import { isGivenUp } from './rounds.ts'
import type { EffectRow } from './rows.ts'

beforeAll(() => startEngine())

const long = process.env.PIPELINE_LONG !== undefined

const settings = { alpha: 0.05, power: 0.8, bootstrap: 200, smallestEffect: 0.05 }
const claim = { feature: 0, dose: 1, primary: 'ablate', direction: 'decrease', ...settings } as const
const documents = Array.from({ length: 16 }, (_, d) => `d${d}`)

describe('where a claim is looked at', () => {
  test('after a quarter of its documents, eight at least, at boundaries of O’Brien and Fleming’s function', () => {
    const [first, end] = looksOf(16, 0.05)
    expect([first!.documents, end!.documents]).toEqual([8, 16])
    // 2.963 and 1.969 standard errors (Lan and DeMets 1983, two looks, α = .05 on two sides).
    expect(1 - first!.level).toBeCloseTo(0.00305, 4)
    expect(1 - end!.level).toBeCloseTo(0.049, 3)
    expect(looksOf(64, 0.05)[0]!.documents).toBe(16)
    expect(looksOf(15, 0.05)).toEqual([{ documents: 15, level: 0.95 }])
  })

  test('“less than the smallest effect” is said of an effect of that size no more often than by one interval', () => {
    const runs = long ? 20_000 : 400
    let wrong = 0
    for (let run = 0; run < runs; run++) {
      const random = new Random('look', run)
      const values = documents.map(() => settings.smallestEffect + 0.2 * random.normal())
      const isShort = looksOf(16, 0.05).some(({ documents: count, level }) => {
        const zeros = Array.from({ length: 20 }, (_, i) => new Array<number>(count).fill(i % 2 ? 1e-9 : -1e-9))
        return pairedDifference(values.slice(0, count), zeros, level).interval.high! < settings.smallestEffect
      })
      if (isShort) wrong++
    }
    expect(wrong / runs).toBeLessThan(0.025 + 3 * Math.sqrt((0.025 * 0.975) / runs))
    expect(wrong / runs).toBeGreaterThan(0.005)
  }, 600_000)
})

/** Rows of a latent and of controls with means of their own, all with the documents' spread. */
function rowsOf(random: Random, effect: number, controls: number): EffectRow[] {
  const place = { feature: 0, intervention: 'ablate', dose: 0, positions: 1, norm: 1, loss: 0, kl: 0 } as const
  const own = (control: EffectRow['control'], controlId: number | null, centre: number): EffectRow[] =>
    documents.map(document => ({
      ...{ ...place, control, controlId, document, window: document },
      target: -centre - 0.05 * random.normal(),
    }))
  return [
    ...own('feature', null, effect + 0.05 * random.normal()),
    ...Array.from({ length: controls }, (_, id) => own('random', id, 0.05 * random.normal())).flat(),
  ]
}

test('a latent that is one more of its controls has p below x no more often, and one that is more is seldom given up', () => {
  const look = looksOf(16, 0.05)[0]!
  const runs = long ? 2000 : 60
  const held = new Set(documents.slice(0, look.documents))
  const pOf = (rows: readonly EffectRow[]) => {
    const part = rows.filter(({ document }) => held.has(document))
    const givenUp = isGivenUp(part, claim, 'ablate', look.level)
    const planned = { ...claim, documents: { ablate: documents, steer: [] } }
    const test = analyseIntervention(planned, givenUp ? part : rows, 'ablate', settings, 0)!
    if (givenUp) expect(test.metrics.target.controls[0]).toMatchObject({ p: 1, method: 'look' })
    return test.test.p!
  }
  const nulls = Array.from({ length: runs }, (_, run) => pOf(rowsOf(new Random('null', run), 0, 19)))
  for (const x of [0.05, 0.2, 0.4]) {
    const share = nulls.filter(p => p <= x).length / runs
    expect(share).toBeLessThanOrEqual(x + 3 * Math.sqrt((x * (1 - x)) / runs))
  }
  expect(nulls.filter(p => p === 1).length / runs).toBeGreaterThan(0.1)
  const found = Array.from({ length: runs }, (_, run) => pOf(rowsOf(new Random('more', run), 0.4, 19)))
  expect(found.filter(p => p === 1)).toHaveLength(0)
}, 600_000)

describe('a latent is measured', () => {
  const window = (d: number): TokenWindow => ({
    ...{ id: `w${d}`, index: d, split: 'validation', tokens: Int32Array.of(0, 1, 2, 3) },
    ...{ documents: new Uint32Array(4), offsets: new Int32Array(4) },
  })
  const places = documents.map((document, d) => ({ document, window: window(d), activations: new Map([[1, 1]]) }))

  /** Documents in which ablation and steering were measured, where the latent's own edit does `effect` and controls next to nothing. */
  async function measured(effect: number, looks: boolean) {
    const effects: Interventions['measure'] = ({ edits, window: { index } }) =>
      edits.map(({ direction }) => {
        const target = direction === 0 ? -effect * (1 + 0.1 * (index % 3)) : 1e-3 * Math.sin(direction + index)
        return { norm: 1, target, loss: 0, kl: 0 }
      })
    const directions = new Random('controls').normals(2 * 40)
    const { rows } = await measureLatent(
      { measure: effects, measureTargets: effects, sham: () => 0, dispose: () => undefined },
      {
        claim,
        looks,
        feature: 0,
        direction: Float32Array.of(1, 0),
        controls: { random: { directions, ids: Array.from({ length: 40 }, (_, i) => i) } },
        target: { weights: Float32Array.of(1, -1), source: 'labels', separation: 1, counted: { concept: 1, rest: 1 } },
        ablate: places,
        steer: places,
        primary: 'ablate',
        doses: [1],
        dose: 1,
        tied: 0,
        batchTokens: 100,
        edits: mainEdits(ValidateConfig.parse({})),
        sourceOf: ({ activations }) => ({ activations, donor: new Map(), mean: 0, unit: 1, reach: () => 0 }),
      },
      { onDocument: () => undefined, pause: () => undefined },
    )
    return (['ablate', 'steer'] as const).map(
      kind => new Set(rows.filter(row => row.intervention === kind).map(({ document }) => document)).size,
    )
  }

  test('in all documents where it does something, and in part of them, for both interventions, where it does not', async () => {
    const before = tf.memory().numTensors
    expect(await measured(0.5, true)).toEqual([16, 16])
    expect(await measured(0, true)).toEqual([8, 8])
    expect(await measured(0, false)).toEqual([16, 16])
    expect(tf.memory().numTensors).toBe(before)
  })
})
