import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import type { Activations } from '../../latents/activations.ts'
import { oneHotDataset } from '../../latents/one-hot.fixture.ts'
import { activityOf, histogramOf, strataFacts, strataOf } from './activity.ts'
import { examplesOf, occurrencesOf } from './examples.ts'
import { byToken, counterOf, directionsOf, firingTogether, nearestByDecoder } from './nearest.ts'
import { ruleFacts } from './rules.ts'
import { firingTokens } from './tokens.ts'

beforeAll(async () => {
  await startEngine()
})

const text = oneHotDataset([
  [0, 1, 2, 1, 3],
  [0, 1, 1, 4],
  [0, 2, 2],
])

/** Activations from entries [latent, window, position, value]. */
function activationsOf(entries: readonly (readonly [number, number, number, number])[], latents: number): Activations {
  const sorted = [...entries].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2])
  const offsets = new Float64Array(latents + 1)
  for (let i = 0; i < latents; i++) offsets[i + 1] = sorted.filter(([latent]) => latent <= i).length
  return {
    ...{ windows: text.windows, tokens: 9, latents, offsets },
    window: Uint32Array.from(sorted, entry => entry[1]),
    position: Uint16Array.from(sorted, entry => entry[2]),
    value: Float32Array.from(sorted, entry => entry[3]),
  }
}

// Latent 0 fires on token 1, but not at its last place; latent 1 with it twice; latent 2 on token 2; latent 3 never.
const activations = activationsOf(
  [
    [0, 0, 1, 4],
    [0, 0, 3, 2],
    [0, 1, 1, 1],
    [1, 0, 1, 1],
    [1, 1, 1, 3],
    [2, 0, 2, 1],
    [2, 2, 1, 1],
    [2, 2, 2, 1],
  ],
  4,
)

describe('activity', () => {
  test('is how often, how strongly and in which runs a latent fires', () => {
    expect(activityOf(activations, 0, 4)).toEqual({
      ...{ density: 3 / 9, meanActivation: 7 / 3, maxActivation: 4, windows: 2 / 3, meanRun: 1 },
      histogram: { edges: [0, 1, 2, 3, 4], counts: [1, 1, 0, 1] },
    })
    expect(activityOf(activations, 2, 1)).toMatchObject({ windows: 2 / 3, meanRun: 3 / 2 })
    expect(activityOf(activations, 3, 1)).toMatchObject({ density: 0, meanActivation: null, windows: 0, meanRun: null })
  })

  test('in strata is the share of their own tokens', () => {
    // English are documents 0 and 2 with 4 + 2 tokens, French is document 1 with 3.
    expect(strataOf(activations, 0, strataFacts(activations, text))).toEqual([
      { stratum: 'language=en', tokens: 6, density: 2 / 6 },
      { stratum: 'language=fr', tokens: 3, density: 1 / 3 },
    ])
  })

  test('as a histogram counts every value once, the least too', () => {
    expect(histogramOf(Float32Array.of(-1, 0, 1, 1), { low: -1, high: 1 }, 2)).toEqual({
      edges: [-1, 0, 1],
      counts: [2, 2],
    })
    expect(histogramOf(Float32Array.of(2, 2), { low: 2, high: 2 }, 2)).toEqual({ edges: [2, 2, 2], counts: [2, 0] })
  })
})

test('tokens say where a latent fires, of how many, and with which share of its activation', () => {
  const facts = ruleFacts(activations, text, [])
  const { tokens, previousTokens, distinctTokens } = firingTokens(facts, 0, 2, token => `t${token}`)
  expect(distinctTokens).toBe(1)
  expect(tokens).toEqual([{ token: 't1', tokenId: 1, fires: 3, occurs: 4, share: 1 }])
  expect(previousTokens).toEqual([
    { token: 't0', tokenId: 0, fires: 2, occurs: 3, share: 5 / 7 },
    { token: 't2', tokenId: 2, fires: 1, occurs: 2, share: 2 / 7 },
  ])
})

describe('nearest latents', () => {
  test('by decoder are those with the largest cosine, whatever the lengths', () => {
    const before = tf.memory().numTensors
    const decoder = tf.tensor2d([
      [1, 0],
      [5, 5],
      [-2, 0],
      [0, 0],
    ]) as Tensor2D
    const directions = directionsOf(decoder)
    const found = [...nearestByDecoder(directions, 2, { from: 0, to: 4 })]
    expect([...nearestByDecoder(directions, 2, { from: 1, to: 3 })]).toEqual(found.slice(1, 3))
    tf.dispose([decoder, directions])
    expect(tf.memory().numTensors).toBe(before)
    expect(found[0]!.map(({ latent }) => latent)).toEqual([1, 3])
    expect(found[0]![0]!.cosine).toBeCloseTo(Math.SQRT1_2, 6)
    expect(found[0]![1]!.cosine).toBe(0)
    expect(found.every((near, i) => near.length === 2 && near.every(({ latent }) => latent !== i))).toBe(true)
  })

  test('by decoder are those of all pairs in float64, however many rows a block has', () => {
    const random = new Random('nearest')
    const [latents, width] = [13, 4]
    const rows = Array.from({ length: latents }, () => Array.from(random.normals(width)))
    const cosine = (a: number[], b: number[]) =>
      a.reduce((sum, x, i) => sum + x * b[i]!, 0) / Math.hypot(...a) / Math.hypot(...b)
    const wanted = rows.map((a, i) =>
      rows
        .map((b, latent) => ({ latent, cosine: cosine(a, b) }))
        .filter(({ latent }) => latent !== i)
        .sort((x, y) => y.cosine - x.cosine)
        .slice(0, 3),
    )
    const decoder = tf.tensor2d(rows)
    const directions = directionsOf(decoder)
    for (const entries of [1, 3 * latents, 1000]) {
      const found = [...nearestByDecoder(directions, 3, { from: 0, to: latents }, entries)]
      expect(found.map(near => near.map(({ latent }) => latent))).toEqual(
        wanted.map(near => near.map(({ latent }) => latent)),
      )
      found.forEach((near, i) => {
        near.forEach(({ cosine }, j) => {
          expect(cosine).toBeCloseTo(wanted[i]![j]!.cosine, 6)
        })
      })
    }
    tf.dispose([decoder, directions])
  })

  test('by tokens are those that fire together, by Jaccard', () => {
    const counter = counterOf(4)
    const tokens = byToken(activations)
    expect(firingTogether(activations, 0, 5, tokens, counter)).toEqual([{ latent: 1, share: 2 / 3, jaccard: 2 / 3 }])
    expect(firingTogether(activations, 3, 5, tokens, counter)).toEqual([])
    expect(firingTogether(activations, 0, 0, tokens, counter)).toEqual([])
  })

  test('by tokens are the best of many, of equal ones the first, as sorting all of them gives', () => {
    const random = new Random('together')
    const latents = 40
    const fires = text.windows.flatMap(({ tokens }, w) =>
      Array.from(tokens, (_, position) => position).flatMap(position =>
        Array.from({ length: latents }, (_, latent) => latent)
          .filter(() => random.uniform() < 0.4)
          .map((latent): [number, number, number, number] => [latent, w, position, 1]),
      ),
    )
    const many = activationsOf(fires, latents)
    const places = Array.from({ length: latents }, (_, latent) =>
      fires.filter(([other]) => other === latent).map(([, w, position]) => `${w} ${position}`),
    )
    const counter = counterOf(latents)
    for (let latent = 0; latent < latents; latent++) {
      const wanted = places
        .map((own, other) => {
          const both = own.filter(place => places[latent]!.includes(place)).length
          return { latent: other, both, jaccard: both / (own.length + places[latent]!.length - both) }
        })
        .filter(one => one.latent !== latent && one.both > 0)
        .sort((a, b) => b.jaccard - a.jaccard || a.latent - b.latent)
      const found = firingTogether(many, latent, 7, byToken(many), counter)
      expect(found.map(one => one.latent)).toEqual(wanted.slice(0, 7).map(one => one.latent))
    }
    expect(counter.counts.some(count => count > 0)).toBe(false)
  })

  test('by tokens leave the counter as it was', () => {
    const counter = counterOf(4)
    firingTogether(activations, 0, 5, byToken(activations), counter)
    expect([...counter.counts]).toEqual([0, 0, 0, 0])
  })
})

describe('examples', () => {
  const hard = { occurrences: occurrencesOf(activations), tokens: [2] }
  const options = { top: 1, bands: 1, perBand: 5, context: 1, silent: 4 }

  test('of a band carry its true quantiles and its share of the windows', () => {
    const bands = examplesOf(activations, 0, options, 0).filter(({ group }) => group === 'band-1')
    expect(bands).toMatchObject([{ activation: 1, low: 1, high: 1, share: 1 / 2 }])
  })

  test('where a latent is silent are of windows without an activation, the hard ones at a token of its own', () => {
    // Latent 1 is silent in window 2 alone.
    const found = examplesOf(activations, 1, options, 0, hard).filter(({ group }) => group.startsWith('silent'))
    expect(found).toMatchObject([{ group: 'silent-same-token', window: 2, activation: 0, low: null }])
    expect([...found[0]!.activations].every(value => value === 0)).toBe(true)
  })

  test('are the same for the same seed', () => {
    expect(examplesOf(activations, 2, options, 7, hard)).toEqual(examplesOf(activations, 2, options, 7, hard))
  })

  test('occurrences hold every place of every token once', () => {
    const { offsets, window, position } = hard.occurrences
    const places = [...offsets].flatMap(([token, [start, end]]) =>
      Array.from({ length: end - start }, (_, i) => [token, window[start + i]!, position[start + i]!]),
    )
    expect(places).toHaveLength(9)
    for (const [token, w, p] of places) expect(text.windows.at(w!)!.tokens[p!]).toBe(token)
  })
})

test('random activations: density of strata weighted by their tokens is the density', () => {
  const random = new Random('strata')
  const entries = text.windows.flatMap((window, w) =>
    [...window.tokens.keys()].slice(1).flatMap(p => (random.uniform() < 0.5 ? [[0, w, p, 1] as const] : [])),
  )
  const made = activationsOf(entries, 1)
  const strata = strataOf(made, 0, strataFacts(made, text))
  const fires = strata.reduce((sum, { tokens, density }) => sum + tokens * density, 0)
  expect(fires).toBeCloseTo(entries.length, 9)
})
