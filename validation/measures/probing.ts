/**
 * k-sparse probing (Gurnee et al. 2023, arXiv:2305.01610; SAEBench, arXiv:2503.09532): how well the k latents that differ most
 * between text with a concept and text without it tell the two apart, beside a probe of all values at the site. Of the measures of
 * SAEBench the most reliable (arXiv:2605.18229).
 *
 * Examples are balanced; each repetition draws its own to fit on from discovery text and its own to test on from validation text.
 */
import { Random } from '../../core/random.ts'
import { mean } from '../../statistics/descriptive.ts'
import { smallestReliableDifference } from '../../statistics/intervals/reliable-difference.ts'
import type { ProbingFound } from '../contracts/measures.ts'
import { classify, fitClassifier } from '../supervised/probe.ts'
import { balanced, type Encoded, encodeSplit, examplesOf, matrixOf, rankedLatents } from './examples.ts'
import type { Measure } from './measure.ts'

type Row = {
  readonly concept: string
  readonly level: string
  readonly repeat: number
  /** Latents probed; null where all values at the site are. */
  readonly k: number | null
  readonly latents: readonly number[]
  /** Examples fitted on and tested on, and how many of the latter are told right. */
  readonly train: number
  readonly test: number
  readonly right: number
}

/** Latents that a probe has. */
const sizes = [1, 2, 5] as const
/** Examples of each class that are fitted on and tested on at most, and that there must be. */
const mostTrain = 500
const mostTest = 250
const fewest = 10

export const probing: Measure<Row, ProbingFound> = {
  name: 'probing',
  question: 'How well do a few latents tell what text is about, beside all values at the site?',
  definitions: {
    accuracy:
      'share of balanced validation examples told right by a logistic probe (½‖w‖² and the sum of losses, as C = 1) that was fitted to discovery text',
    k: 'the latents with the largest |mean with the concept − mean without it| on the examples that are fitted on',
    share: '(accuracy − ½) by that of all values at the site',
    smallestReliableDifference:
      't · √2 · s · √(1/R + ρ) over the means of R repetitions, ρ = examples tested by examples fitted on (Nadeau and Bengio 2003)',
    level: 'window: the mean over its tokens, where each has the concept wholly or not at all; token otherwise',
  },
  columns: {
    concept: 'string',
    level: 'string',
    repeat: 'int32',
    k: 'int32?',
    latents: 'list<int32>',
    train: 'int32',
    test: 'int32',
    right: 'int32',
  },

  async measure(bench) {
    const { context, inputs, windows, pause } = bench
    const { repeats, concepts: most } = inputs.config.measures
    const [train, test] = [await encodeSplit(bench, windows.discovery), await encodeSplit(bench, windows.validation)]
    const rows: Row[] = []
    const chosen = conceptsOf(train, test, most, new Random(context.seed, 'probed concepts'))
    context.progress.start('Probing', chosen.length, 'concepts')
    for (const [i, concept] of chosen.entries()) {
      for (let repeat = 0; repeat < repeats; repeat++) {
        const random = new Random(context.seed, 'probing', train.labels.concepts[concept]!, repeat)
        rows.push(...probed(train, test, inputs.sae.latents, concept, random).map(row => ({ ...row, repeat })))
        await pause()
      }
      context.progress.update(i + 1)
    }
    context.progress.finish()
    return rows
  },

  judge(rows) {
    if (rows.length === 0) return null
    const concepts = [...new Set(rows.map(({ concept }) => concept))]
    const repeats = [...new Set(rows.map(({ repeat }) => repeat))]
    const accuracyOf = (of: readonly Row[]) => mean(of.map(({ right, test }) => right / test))
    const overlap = mean(rows.map(({ test, train }) => test / train))
    const summary = (k: number | null) => {
      const own = rows.filter(row => row.k === k)
      const each = repeats.map(repeat => accuracyOf(own.filter(row => row.repeat === repeat)))
      return { accuracy: accuracyOf(own), smallestReliableDifference: smallestReliableDifference(each, { overlap }) }
    }
    const all = summary(null)
    return {
      repeats: repeats.length,
      values: all,
      latents: sizes.map(k => {
        const own = summary(k)
        return { k, ...own, share: all.accuracy > 0.5 ? (own.accuracy - 0.5) / (all.accuracy - 0.5) : null }
      }),
      concepts: concepts.map(concept => {
        const own = rows.filter(row => row.concept === concept)
        const of = (k: number | null) => accuracyOf(own.filter(row => row.k === k))
        return {
          concept,
          level: own[0]!.level === 'window' ? ('window' as const) : ('token' as const),
          values: of(null),
          latents: sizes.map(k => ({ k, accuracy: of(k) })),
        }
      }),
    }
  },
}

/** Concepts of which there are examples enough on both splits, `most` of them by lot. */
function conceptsOf(train: Encoded, test: Encoded, most: number, random: Random): number[] {
  const enough = train.labels.concepts
    .map((_, concept) => concept)
    .filter(concept =>
      [train, test].every(split => {
        const { labels } = examplesOf(split, concept)
        const inside = labels.reduce((sum, one) => sum + one, 0)
        return Math.min(inside, labels.length - inside) >= fewest
      }),
    )
  return random.sample(enough, Math.min(most, enough.length)).sort((a, b) => a - b)
}

function probed(
  train: Encoded,
  test: Encoded,
  latents: number,
  concept: number,
  random: Random,
): Omit<Row, 'repeat'>[] {
  const [fitted, held] = [examplesOf(train, concept), examplesOf(test, concept)]
  const learn = balanced(fitted.labels, mostTrain, random)
  const ask = balanced(held.labels, mostTest, random)
  const labels = Uint8Array.from(learn, i => fitted.labels[i]!)
  const common = {
    concept: train.labels.concepts[concept]!,
    ...{ level: fitted.level, train: learn.length, test: ask.length },
  }
  const rightOf = (width: number, learnt: Float32Array, asked: Float32Array) => {
    const classifier = fitClassifier(learnt, labels, width)
    return ask.filter((example, i) => classify(classifier, asked, i) > 0 === (held.labels[example] === 1)).length
  }
  const whole = rightOf(
    train.width,
    matrixOf(learn, train.width, fitted.valuesOf),
    matrixOf(ask, train.width, held.valuesOf),
  )
  const ranked = rankedLatents(fitted, learn, latents, Math.max(...sizes))
  return [
    { ...common, k: null, latents: [], right: whole },
    ...sizes.map(k => {
      const chosen = ranked.slice(0, k)
      const rowsOf = (examples: readonly number[], of: typeof fitted) =>
        matrixOf(examples, chosen.length, example => {
          const values = of.latentsOf(example)
          return chosen.map(latent => values.get(latent) ?? 0)
        })
      // Where no latent differs, every example is told alike: half of them right.
      const right =
        chosen.length === 0 ? ask.length / 2 : rightOf(chosen.length, rowsOf(learn, fitted), rowsOf(ask, held))
      return { ...common, k, latents: chosen, right }
    }),
  ]
}
