/**
 * Absorption and splitting (Chanin et al. 2024, arXiv:2409.14507; SAEBench), for any concept of tokens that a probe can tell: a
 * latent that stands for the concept may be silent where another one says it along with something more special.
 *
 * A logistic probe w of the values is the truth. The main latents are those of a k-sparse probe that each raise its F1 by .03 or
 * more; more than one is a split concept. At a token that has the concept, and where the probe says so, with p = (x − x̄)·w and the
 * latents' parts a·(d·w) of it:
 *
 *   fully absorbed: every main latent is silent, and the latent with the largest part has cos(d, w) ≥ .025 and .4 of p at least
 *   fraction: A / (A + main), A = min(parts of the three largest other latents with cos ≥ .1, p − main), 0 where these are below
 *   .4 of p or main ≥ p, and 1 where main ≤ 0
 *
 * An SAE of random directions hardly absorbs, since none of its latents stands for the concept: `mainF1` says whether one does.
 */
import { Random } from '../../core/random.ts'
import { onHost } from '../../engine/host.ts'
import { mean } from '../../statistics/descriptive.ts'
import { smallestReliableDifference } from '../../statistics/intervals/reliable-difference.ts'
import type { AbsorptionFound } from '../contracts/measures.ts'
import { classify, fitClassifier } from '../supervised/probe.ts'
import { balanced, type Encoded, type Examples, encodeSplit, examplesOf, matrixOf, rankedLatents } from './examples.ts'
import type { Measure } from './measure.ts'

type Row = {
  readonly concept: string
  readonly repeat: number
  /** F1 of the probe of all values, and of the main latents', on validation text. */
  readonly probeF1: number
  readonly mainF1: number
  readonly main: readonly number[]
  /** Tokens with the concept at which the probe says so; of these those that are fully absorbed, and the sum of the fractions. */
  readonly told: number
  readonly absorbed: number
  readonly fraction: number
  /** Latents that absorb fully, with repeats. */
  readonly absorbers: readonly number[]
}

/** A concept counts where the probe has this F1 at least. */
const fewestF1 = 0.6
/** What a latent must add to F1 to be a main one, and how many are tried. */
const jump = 0.03
const mostMain = 10
const mostTrain = 500
const mostTest = 1000
const fewest = 10
/** Least cosine and share of the projection of a latent that absorbs fully; least cosine of those that do partly. */
const fully = { cosine: 0.025, share: 0.4 } as const
const partly = { cosine: 0.1, count: 3 } as const

export const absorption: Measure<Row, AbsorptionFound> = {
  name: 'absorption',
  question: 'Do latents that stand for a concept stay silent where a more special one says it too?',
  definitions: {
    full: 'share of the tokens with the concept that the probe tells at which every main latent is silent and one other carries .4 of the projection',
    fraction: 'mean over these tokens of the part of the projection that other latents carry in the main ones’ place',
    splits: 'main latents: each raises F1 of a k-sparse probe by .03 or more',
    mainF1:
      'F1 of the main latents on validation text; where it is low no latent stands for the concept, and little absorption means nothing',
    concepts: 'of tokens, with a probe of F1 .6 or more',
  },
  columns: {
    concept: 'string',
    repeat: 'int32',
    probeF1: 'float64',
    mainF1: 'float64',
    main: 'list<int32>',
    told: 'int32',
    absorbed: 'int32',
    fraction: 'float64',
    absorbers: 'list<int32>',
  },

  async measure(bench) {
    const { context, inputs, windows, pause } = bench
    const { repeats, concepts: most } = inputs.config.measures
    const [train, test] = [await encodeSplit(bench, windows.discovery), await encodeSplit(bench, windows.validation)]
    const decoder = onHost(() => inputs.sae.decoder().dataSync<'float32'>() as Float32Array).slice()
    const random = new Random(context.seed, 'absorbed concepts')
    const usable = train.labels.concepts.flatMap((_, concept) => {
      const [fitted, held] = [examplesOf(train, concept), examplesOf(test, concept)]
      const enough = [fitted, held].every(({ labels }) => labels.reduce((sum, one) => sum + one, 0) >= fewest)
      return fitted.level === 'token' && held.level === 'token' && enough ? [{ concept, fitted, held }] : []
    })
    const chosen = random.sample(usable, Math.min(most, usable.length)).sort((a, b) => a.concept - b.concept)
    const rows: Row[] = []
    context.progress.start('Absorption', chosen.length, 'concepts')
    for (const [i, { concept, fitted, held }] of chosen.entries()) {
      const name = train.labels.concepts[concept]!
      for (let repeat = 0; repeat < repeats; repeat++) {
        const own = new Random(context.seed, 'absorption', name, repeat)
        rows.push({ concept: name, repeat, ...absorbed({ train, fitted, held, decoder }, own) })
        await pause()
      }
      context.progress.update(i + 1)
    }
    context.progress.finish()
    return rows
  },

  judge(rows) {
    const concepts = [...new Set(rows.map(({ concept }) => concept))].flatMap(concept => {
      const own = rows.filter(row => row.concept === concept)
      const probeF1 = mean(own.map(row => row.probeF1))
      if (probeF1 < fewestF1 || own.some(({ told }) => told === 0)) return []
      return [{ concept, own, probeF1 }]
    })
    if (concepts.length === 0) return null
    const repeats = [...new Set(rows.map(({ repeat }) => repeat))]
    const values = {
      full: (row: Row) => row.absorbed / row.told,
      fraction: (row: Row) => row.fraction / row.told,
      splits: (row: Row) => row.main.length,
      mainF1: (row: Row) => row.mainF1,
    }
    const summary = (value: (row: Row) => number) => {
      const each = repeats.map(repeat =>
        mean(concepts.flatMap(({ own }) => own.filter(row => row.repeat === repeat).map(value))),
      )
      // Repetitions test on mostly the same tokens.
      return { mean: mean(each), smallestReliableDifference: smallestReliableDifference(each, { overlap: 1 }) }
    }
    return {
      repeats: repeats.length,
      full: summary(values.full),
      fraction: summary(values.fraction),
      splits: summary(values.splits),
      mainF1: summary(values.mainF1),
      concepts: concepts.map(({ concept, own, probeF1 }) => ({
        ...{ concept, probeF1 },
        full: mean(own.map(values.full)),
        fraction: mean(own.map(values.fraction)),
        splits: mean(own.map(values.splits)),
        mainF1: mean(own.map(values.mainF1)),
        told: mean(own.map(({ told }) => told)),
        absorbers: [...new Set(own.flatMap(row => row.absorbers))].sort((a, b) => a - b),
      })),
    }
  },
}

interface Concept {
  readonly train: Encoded
  readonly fitted: Examples
  readonly held: Examples
  /** Decoder rows [latents, width]. */
  readonly decoder: Float32Array
}

function absorbed({ train, fitted, held, decoder }: Concept, random: Random): Omit<Row, 'concept' | 'repeat'> {
  const { width } = train
  const learn = balanced(fitted.labels, mostTrain, random)
  const labels = Uint8Array.from(learn, i => fitted.labels[i]!)
  const learnt = matrixOf(learn, width, fitted.valuesOf)
  const probe = fitClassifier(learnt, labels, width)
  const ask = random.sample([...held.labels.keys()], Math.min(mostTest, held.labels.length))
  const positives = [...held.labels.keys()].filter(i => held.labels[i])
  const asked = [...new Set([...positives.slice(0, mostTest), ...ask])].sort((a, b) => a - b)
  const says = asked.map(example => classify(probe, matrixOf([example], width, held.valuesOf), 0) > 0)
  const truth = asked.map(example => held.labels[example] === 1)
  const { main, f1: mainF1 } = mainLatents({
    fitted,
    held,
    learn,
    labels,
    asked,
    truth,
    latents: decoder.length / width,
  })
  const centre = Float64Array.from({ length: width }, (_, j) =>
    mean(learn.map((_example, i) => learnt[i * width + j]!)),
  )
  const norm = Math.hypot(...probe.weights)
  const alongOf = (latent: number) => {
    let [along, square] = [0, 0]
    for (let j = 0; j < width; j++) {
      along += decoder[latent * width + j]! * probe.weights[j]!
      square += decoder[latent * width + j]! ** 2
    }
    return { along, cosine: square > 0 ? along / (norm * Math.sqrt(square)) : 0 }
  }
  const known = new Map<number, ReturnType<typeof alongOf>>()
  const found = { told: 0, absorbed: 0, fraction: 0 }
  const absorbers: number[] = []
  asked.forEach((example, i) => {
    if (!truth[i] || !says[i]) return
    found.told++
    const x = held.valuesOf(example)
    const p = probe.weights.reduce((sum, weight, j) => sum + weight * (x[j]! - centre[j]!), 0)
    if (p <= 0) return
    const parts = [...held.latentsOf(example)].map(([latent, value]) => {
      const own = known.get(latent) ?? alongOf(latent)
      known.set(latent, own)
      return { latent, cosine: own.cosine, part: value * own.along, isMain: main.includes(latent) }
    })
    const others = parts.filter(({ isMain }) => !isMain).sort((a, b) => b.part - a.part)
    const strongest = others[0]
    const silent = !parts.some(({ isMain }) => isMain)
    if (silent && strongest && strongest.cosine >= fully.cosine && strongest.part >= fully.share * p) {
      found.absorbed++
      absorbers.push(strongest.latent)
    }
    const mainPart = parts.reduce((sum, { isMain, part }) => sum + (isMain ? part : 0), 0)
    const taken = others
      .filter(({ cosine, part }) => cosine >= partly.cosine && part > 0)
      .slice(0, partly.count)
      .reduce((sum, { part }) => sum + part, 0)
    if (taken < fully.share * p || mainPart >= p) return
    const absorbedPart = Math.min(taken, p - mainPart)
    found.fraction += mainPart <= 0 ? 1 : absorbedPart / (absorbedPart + mainPart)
  })
  return { probeF1: f1Of(says, truth), mainF1, main, ...found, absorbers }
}

interface Sparse {
  readonly fitted: Examples
  readonly held: Examples
  readonly learn: readonly number[]
  readonly labels: Uint8Array
  readonly asked: readonly number[]
  readonly truth: readonly boolean[]
  readonly latents: number
}

/** The latents that each raise F1 of a k-sparse probe, the most different first; the first is always one. */
function mainLatents({ fitted, held, learn, labels, asked, truth, latents }: Sparse): { main: number[]; f1: number } {
  const ranked = rankedLatents(fitted, learn, latents, mostMain)
  let best = { main: [] as number[], f1: 0 }
  for (let k = 1; k <= ranked.length; k++) {
    const chosen = ranked.slice(0, k)
    const rowsOf = (examples: readonly number[], of: Examples) =>
      matrixOf(examples, k, example => {
        const values = of.latentsOf(example)
        return chosen.map(latent => values.get(latent) ?? 0)
      })
    const classifier = fitClassifier(rowsOf(learn, fitted), labels, k)
    const rows = rowsOf(asked, held)
    const f1 = f1Of(
      asked.map((_, i) => classify(classifier, rows, i) > 0),
      truth,
    )
    if (k > 1 && f1 < best.f1 + jump) break
    best = { main: chosen, f1 }
  }
  return best
}

/** 2·TP / (2·TP + FP + FN); 0 where nothing is right. */
function f1Of(says: readonly boolean[], truth: readonly boolean[]): number {
  let [both, either] = [0, 0]
  says.forEach((said, i) => {
    if (said && truth[i]) both++
    else if (said || truth[i]) either++
  })
  return both === 0 ? 0 : (2 * both) / (2 * both + either)
}
