import { describe, expect, test } from 'vitest'
import { Random } from '../core/random.ts'
import { conceptMask, type TokenDataset, type TokenWindow } from '../datasets/document.ts'
import { type Activations, activationsIn, activeWindows } from '../latents/activations.ts'
import { fakeDataset, vocabularySize } from '../latents/fake.fixture.ts'
import { auroc } from '../statistics/association/auroc.ts'
import { chooseLatents } from './claims/choose.ts'
import { cutWindow, drawDocuments } from './claims/claims.ts'
import { conceptRows, dealRows, groupOf, labelWindows } from './claims/concepts.ts'
import { conceptAurocs, latentAuroc, nullMaxima, rankActivations } from './claims/selectivity.ts'
import { conceptTarget, countTargets, firingTarget, topTokens } from './claims/targets.ts'
import type { InterventionEvidence } from './evidence.ts'
import { causalVerdict, overall, selectivityVerdict } from './judging/verdict.ts'

const dataset = fakeDataset(40)
const windows = dataset.windows.filter(({ split }) => split === 'validation')

/** Activations of `latents` latents on windows, each nonzero with a chance of one in four, rounded so that values tie. */
function chanceActivations(of: readonly TokenWindow[], latents: number): Activations {
  const random = new Random('activations')
  const entries: [number, number, number, number][] = []
  for (let latent = 0; latent < latents; latent++)
    of.forEach(({ tokens }, w) => {
      for (let p = 1; p < tokens.length; p++)
        if (random.uniform() < 0.25) entries.push([latent, w, p, 1 + random.int(3)])
    })
  const offsets = new Float64Array(latents + 1)
  for (const [latent] of entries) for (let i = latent + 1; i <= latents; i++) offsets[i]!++
  return {
    windows: of,
    tokens: of.reduce((sum, { tokens }) => sum + tokens.length - 1, 0),
    latents,
    offsets,
    window: Uint32Array.from(entries, ([, w]) => w),
    position: Uint16Array.from(entries, ([, , p]) => p),
    value: Float32Array.from(entries, ([, , , value]) => value),
  }
}

describe('labels', () => {
  test('are those of conceptMask, for token concepts and strata alike', () => {
    const concepts = [...dataset.concepts, 'half=even']
    const labels = labelWindows(dataset, windows, concepts)
    concepts.forEach((concept, c) => {
      const expected = windows.flatMap(window => [...conceptMask(dataset, window, concept)].slice(1))
      expect([...conceptRows(labels, c)]).toEqual(expected)
      expect(labels.tokens[c]).toBe(expected.reduce((sum, one) => sum + one, 0))
    })
  })

  test('dealt out, each window has another’s labels by position', () => {
    const labels = labelWindows(dataset, windows.slice(0, 2), dataset.concepts)
    const [a, b] = [labels.rowStart[1]!, labels.rowStart[2]!]
    const own = conceptRows(labels, 0)
    expect([...conceptRows(labels, 0, [1, 0])]).toEqual([...own.slice(a, b), ...own.slice(0, a)])
  })

  test('a concept’s group is what stands before =', () =>
    expect(['food=pie', 'induction'].map(groupOf)).toEqual(['food', 'induction']))
})

describe('selectivity', () => {
  const activations = chanceActivations(windows, 5)
  const labels = labelWindows(dataset, windows, dataset.concepts)
  const ranked = rankActivations(activations, labels)
  const scoresOf = (latent: number) =>
    windows.flatMap(({ tokens }, w) => {
      const active = activationsIn(activations, latent, w)
      return Array.from({ length: tokens.length - 1 }, (_, i) => active.get(i + 1) ?? 0)
    })

  test('AUROC by ranks of active tokens is AUROC over all tokens', () => {
    const all = conceptAurocs(ranked, labels, { minimumTokens: 1, minimumDocuments: 1 })
    for (let latent = 0; latent < 5; latent++)
      for (let c = 0; c < dataset.concepts.length; c++) {
        const rows = conceptRows(labels, c)
        const direct = auroc(scoresOf(latent), rows)
        expect(all[latent * dataset.concepts.length + c]).toBeCloseTo(direct, 6)
        expect(latentAuroc(ranked, latent, rows, labels.tokens[c]!)).toBeCloseTo(direct, 6)
      }
  })

  test('concepts with too few tokens are not judged', () => {
    expect([...conceptAurocs(ranked, labels, { minimumTokens: 1e6 })].every(Number.isNaN)).toBe(true)
  })

  test('the null is the best of all latents: larger than one latent’s usual AUROC, and seeded', () => {
    const maxima = nullMaxima(ranked, labels, 0, 20, new Random(1))
    expect(maxima).toEqual(nullMaxima(ranked, labels, 0, 20, new Random(1)))
    expect(Math.min(...maxima)).toBeGreaterThan(0.5)
  })

  test('the null is, to the bit, the largest AUROC of each dealing', () => {
    const random = new Random(4)
    const order = labels.units.map((_, i) => i)
    const own = conceptRows(labels, 2)
    const dealt = Array.from({ length: 5 }, () => {
      const rows = dealRows(labels, own, random.shuffle(order))
      const positives = rows.reduce((sum, row) => sum + row, 0)
      return Math.max(...Array.from({ length: 5 }, (_, latent) => latentAuroc(ranked, latent, rows, positives)))
    })
    expect(nullMaxima(ranked, labels, 2, 5, new Random(4))).toEqual(dealt)
  })
})

describe('targets', () => {
  const training = fakeDataset(400)

  test('a token that carries two concepts of a group counts once for the group, whatever follows elsewhere', () => {
    const [window] = training.windows
    const { concepts: _, ...facts } = training.documents.at(window!.documents[0]!)!
    const tokenConcepts = window!.offsets.length === 0 ? [] : Array.from(window!.offsets, () => ['a=1', 'a=2'])
    const dataset = { ...training, documents: training.documents.map(() => ({ ...facts, strata: {}, tokenConcepts })) }
    const counts = countTargets(labelWindows(dataset, [window!], ['a=1', 'a=2', 'b=1']), vocabularySize)
    const total = (of: ReadonlyMap<number, readonly [number, number]>) =>
      [...of.values()].reduce((sum, [first, second]) => sum + first + second, 0)
    expect(total(counts.all)).toBeGreaterThan(3)
    expect(total(counts.groups.get('a')!)).toBe(total(counts.concepts[0]!))
    expect(total(counts.groups.get('a')!)).toBeGreaterThan(3)
    expect(total(counts.groups.get('b')!)).toBe(0)
  })

  test('of a labelled concept: its answers weigh up, its siblings’ answers down, and the sum is zero', () => {
    const target = conceptTarget(
      countTargets(labelWindows(training, training.windows, training.concepts), vocabularySize),
      0,
    )
    expect(target.separation).toBeGreaterThan(1)
    expect(target.weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(0, 6)
    expect(new Set(topTokens(target.weights, 4).map(({ token }) => token))).toEqual(new Set([13, 14, 15, 16]))
    expect(target.weights[21]).toBeLessThan(0) // an answer of cue=1
  })

  test('of shuffled labels do not separate documents that were not counted', () => {
    const shuffled = fakeDataset(400, { shuffle: true })
    expect(
      conceptTarget(countTargets(labelWindows(shuffled, shuffled.windows, shuffled.concepts), vocabularySize), 0)
        .separation,
    ).toBeLessThan(0.1)
  })

  test('without labels are the tokens that follow where the latent fires', () => {
    const cue = 9 // the first cue of concept 0
    const entries = training.windows.flatMap(({ tokens }, w) =>
      [...tokens].flatMap((token, p) => (token === cue && p > 0 ? [[w, p] as const] : [])),
    )
    const activations: Activations = {
      windows: training.windows,
      tokens: 400 * 19,
      latents: 1,
      offsets: Float64Array.of(0, entries.length),
      window: Uint32Array.from(entries, ([w]) => w),
      position: Uint16Array.from(entries, ([, p]) => p),
      value: new Float32Array(entries.length).fill(1),
    }
    const { weights, source } = firingTarget(activations, 0, vocabularySize)
    expect(source).toBe('activations')
    expect(
      topTokens(weights, 4)
        .map(({ token }) => token)
        .sort(),
    ).toEqual([13, 14, 15, 16])
  })
})

describe('documents of a claim', () => {
  const activations = chanceActivations(windows, 1)
  const settings = { documents: 6, positions: 12, lot: 0, unitOf: (window: TokenWindow) => window.id }
  const draw = (of: Activations, seed: number) => drawDocuments(of, 0, { ...settings, seed })

  test('the latent is active in those ablated, at a position that is measured; the lot is seeded', () => {
    const drawn = draw(activations, 1)
    expect(drawn.ablate).toHaveLength(6)
    for (const { window, activations: active } of drawn.ablate) {
      expect(window.tokens).toHaveLength(12)
      expect(active.size).toBeGreaterThan(0)
      for (const position of active.keys()) expect(position).toBeLessThan(11)
    }
    expect(draw(activations, 1)).toEqual(drawn)
    expect(draw(activations, 2)).not.toEqual(drawn)
  })

  test('silent documents come first where steering is measured', () => {
    const silentAt = 2
    const kept = Array.from(activations.window, (w, e) => ({ w, e })).filter(({ w }) => w !== silentAt)
    const some: Activations = {
      ...activations,
      offsets: Float64Array.of(0, kept.length),
      window: Uint32Array.from(kept, ({ w }) => w),
      position: Uint16Array.from(kept, ({ e }) => activations.position[e]!),
      value: Float32Array.from(kept, ({ e }) => activations.value[e]!),
    }
    expect(activeWindows(some, 0)).not.toContain(silentAt)
    expect(draw(some, 1).steer[0]!.window.id).toBe(windows[silentAt]!.id)
  })

  test('a window that is short enough is left as it is', () => expect(cutWindow(windows[0]!, 99)).toBe(windows[0]))
})

describe('choosing latents', () => {
  test('a list is kept, sorted, once each', () => {
    const activations = chanceActivations(windows, 6)
    const labels = labelWindows(dataset as TokenDataset, windows, [])
    const chosen = chooseLatents(
      [5, 2, 2],
      [{ latent: 2, concept: -1, auroc: 0, active: 9 }],
      activations,
      labels,
      new Float64Array(),
    )
    expect(chosen.map(({ latent, active }) => [latent, active])).toEqual([
      [2, 9],
      [5, 0],
    ])
  })

  test('without labels latents are spread over densities', () => {
    const activations = chanceActivations(windows, 40)
    const labels = labelWindows(dataset, windows, [])
    const candidates = Array.from({ length: 40 }, (_, latent) => ({
      latent,
      concept: -1,
      auroc: 0,
      active: latent + 1,
    }))
    expect(chooseLatents(4, candidates, activations, labels, new Float64Array()).map(({ latent }) => latent)).toEqual([
      5, 15, 25, 35,
    ])
  })
})

describe('verdicts', () => {
  interface Change {
    readonly p?: number
    readonly q?: number
    /** Of the latent less the controls, in nats as claimed: low, mean, high. */
    readonly difference?: readonly [number, number, number]
    readonly power?: number
    readonly mde?: number | null
    readonly documents?: number
    readonly counts?: Readonly<Record<string, number>>
  }
  const evidence = (change: Change): InterventionEvidence => {
    const {
      counts = { tied: 99, random: 99, foreign: 99 },
      p = 0.01,
      difference: [low, mean, high] = [0.3, 0.5, 0.7],
    } = change
    const effect = {
      documents: change.documents ?? 16,
      ...{ mean: -0.5, low: -0.6, high: -0.4, interval: 't' as const, dz: -2, g: -2, p: 0.001 },
    }
    const controls = Object.entries(counts).map(([control, count]) => ({
      ...{
        control,
        count,
        paired: control !== 'tied',
        mean: 0,
        deviation: 0.1,
        spread: { low: 0, high: 0 },
        interval: 't' as const,
      },
      ...{ difference: -mean, low: -high, high: -low },
      ...{ percentile: 1, z: -5, alternative: 'less' as const, p, critical: 0.2 },
      ...{ planned: count, used: count, method: 'rank' as const },
    }))
    const metric = { effect, controls }
    return {
      ...{ dose: 0, norm: 1, metrics: { target: metric, loss: metric, kl: metric } },
      test: { family: 'ablate.target', size: 8, p, q: change.q ?? 0.02, direction: 'decrease', asClaimed: true },
      power: {
        effectiveAlpha: 0.02,
        atSmallestEffect: change.power ?? 0.1,
        minimumDetectableEffect: change.mde === undefined ? 0.4 : change.mde,
      },
    }
  }
  const verdict = (change: Change) =>
    causalVerdict(evidence(change), { alpha: 0.05, smallestEffect: 0.05, power: 0.8 }).verdict

  test('pass asks for rank and documents both', () => {
    expect(verdict({})).toBe('pass')
    expect(verdict({ q: 0.06 })).not.toBe('pass')
    expect(verdict({ difference: [0.04, 0.5, 0.9] })).not.toBe('pass')
  })

  test('fail asks that an effect of interest is ruled out, or would have been found', () => {
    expect(verdict({ difference: [-0.1, 0, 0.04], p: 0.4, q: 0.5 })).toBe('fail')
    expect(verdict({ difference: [-0.9, -0.5, -0.1], p: 1, q: 1 })).toBe('fail') // against the claim, or less than controls do
    const settings = { alpha: 0.05, smallestEffect: 0.05, power: 0.8 }
    expect(causalVerdict(evidence({ difference: [-0.9, -0.5, -0.1], p: 1, q: 1 }), settings).reason).toBe(
      'as claimed it moves the target less than random directions that fire as often do, by at least 0.1 nats',
    )
    expect(verdict({ p: 0.4, q: 0.5, power: 0.9 })).toBe('fail')
    expect(verdict({ p: 0.4, q: 0.5, power: 0.7 })).toBe('inconclusive')
    expect(verdict({ difference: [-5, 0.6, 7], q: 0.02 })).toBe('inconclusive')
  })

  test('a kind of control that is missing, or too small for any rank, is said and decides nothing', () => {
    const decide = (counts: Record<string, number>) =>
      causalVerdict(evidence({ counts, p: 0.2, q: 0.2, power: 1 }), { alpha: 0.05, smallestEffect: 0.05, power: 0.8 })
    expect(decide({ tied: 99, random: 99 })).toMatchObject({
      verdict: 'inconclusive',
      reason: expect.stringContaining('there are no other latents of equal norm to compare with: near copies'),
    })
    expect(decide({ tied: 99, random: 99, foreign: 5 })).toMatchObject({
      verdict: 'inconclusive',
      reason: expect.stringContaining('no rank among so few is below 0.167'),
    })
    expect(decide({ tied: 99, random: 99, foreign: 19 }).verdict).toBe('fail')
  })

  test('without documents nothing is run', () => {
    expect(verdict({ documents: 2 })).toBe('not-run')
    expect(causalVerdict(null, { alpha: 0.05, smallestEffect: 0.05, power: 0.8 }).verdict).toBe('not-run')
  })

  test('of selectivity', () => {
    const nullMaxima = new Array<number>(99).fill(0.6)
    const decide = (auroc: number | null, low: number, high: number, q = 0.01, p = 0.02) =>
      selectivityVerdict(
        { auroc, low, high, p, q, concept: 'food=pie', nullMaxima },
        { alpha: 0.05, minimumAuroc: 0.75 },
      ).verdict
    expect(decide(0.9, 0.8, 0.95)).toBe('pass')
    expect(decide(0.9, 0.8, 0.95, 0.2)).toBe('fail')
    expect(decide(0.9, 0.8, 0.95, 0.2, 0.01)).toBe('inconclusive') // better than all 99 dealings
    expect(decide(0.6, 0.5, 0.7)).toBe('fail')
    expect(decide(0.8, 0.7, 0.9)).toBe('inconclusive')
    expect(decide(null, 0, 0)).toBe('not-run')
  })

  test('the worst part decides', () => {
    const part = (verdict: 'pass' | 'fail' | 'inconclusive' | 'not-run') => ({ verdict, reason: '' })
    expect(overall([part('pass'), part('pass')])).toBe('pass')
    expect(overall([part('pass'), part('inconclusive')])).toBe('inconclusive')
    expect(overall([part('inconclusive'), part('fail')])).toBe('fail')
  })
})
