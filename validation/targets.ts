/**
 * The target of a claim: what a latent should make the model say, learned without looking at its decoder direction.
 *
 *   M = Σ_v w_v · log p_v,   w = p(v | concept) − p(v | rest)
 *
 * is the difference of two expected log-likelihoods, in nats; the weights sum to zero, so it is a logit difference too.
 * For a labelled concept both distributions are counted in training text from labels alone, over the token that comes
 * next after labelled tokens (`next`) or over all later tokens of the document (`later`), whichever tells concept and
 * rest apart better in documents that did not count. The rest is the concept's siblings (`language=de` for
 * `language=fr`) where it has some. Without labels the text that follows the latent's own activations is counted.
 */
import { uniformOf } from '../core/random.ts'
import type { TokenDataset, TokenWindow } from '../datasets/document.ts'
import { type Activations, activationsIn, activeWindows, FIRST_POSITION } from './activations.ts'
import { type ConceptLabels, labelWindows, siblingsOf } from './concepts.ts'
import type { Scope } from './interventions.ts'

/** Weights over the vocabulary and how they came about. */
export interface Target {
  readonly scope: Scope
  readonly weights: Float32Array
  /** Where the counts are from. */
  readonly source: 'labels' | 'activations'
  /** Tokens counted on either side. */
  readonly counted: { readonly concept: number; readonly rest: number }
  /**
   * How well the target tells concept from rest in documents that did not count: Σ (p − r)·ln(p̂ / r̂), in nats.
   * 0 or less: the concept does not show in these tokens, so no effect on them can be expected.
   */
  readonly separation: number
}

/** Weight of the text's own distribution in each count, in tokens: rare tokens pull no estimate far. */
const SMOOTHING = 20

/** Counts of tokens on the two sides, over two halves of the documents. */
interface Counts {
  readonly concept: [Float64Array, Float64Array]
  readonly rest: [Float64Array, Float64Array]
}

const empty = (vocabulary: number): Counts => ({
  concept: [new Float64Array(vocabulary), new Float64Array(vocabulary)],
  rest: [new Float64Array(vocabulary), new Float64Array(vocabulary)],
})

const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0)
const plus = (a: Float64Array, b: Float64Array) => a.map((value, i) => value + b[i]!)

/** Smoothed distribution: (count + SMOOTHING · base) / (total + SMOOTHING). */
function distribution(counts: Float64Array, base: Float64Array): Float64Array {
  const total = sum(counts) + SMOOTHING
  return counts.map((count, v) => (count + SMOOTHING * base[v]!) / total)
}

/** The target that two sides' counts give. */
function targetOf(counts: Counts, scope: Scope, source: Target['source']): Target {
  const concept = plus(...counts.concept)
  const rest = plus(...counts.rest)
  const all = plus(concept, rest)
  const total = sum(all)
  const vocabulary = all.length
  const base = all.map(count => (count + 1 / vocabulary) / (total + 1))
  const separations = [0, 1].map(half => {
    const fitted = [distribution(counts.concept[1 - half]!, base), distribution(counts.rest[1 - half]!, base)]
    const p = counts.concept[half]!
    const r = counts.rest[half]!
    const [pTotal, rTotal] = [sum(p), sum(r)]
    if (pTotal === 0 || rTotal === 0) return 0
    return p.reduce((s, _, v) => s + (p[v]! / pTotal - r[v]! / rTotal) * Math.log(fitted[0]![v]! / fitted[1]![v]!), 0)
  })
  const p = distribution(concept, base)
  const r = distribution(rest, base)
  return {
    scope,
    source,
    weights: Float32Array.from(p, (value, v) => value - r[v]!),
    counted: { concept: sum(concept), rest: sum(rest) },
    separation: (separations[0]! + separations[1]!) / 2,
  }
}

const halfOf = (window: TokenWindow) => (uniformOf('target', window.id) < 0.5 ? 0 : 1)

/** The target of a labelled concept, counted in `windows` (the training split, whose labels no test uses). */
export function conceptTarget(
  dataset: TokenDataset,
  windows: readonly TokenWindow[],
  concept: string,
  vocabulary: number,
): Target {
  const siblings = siblingsOf(concept, dataset.concepts)
  const labels = labelWindows(dataset, windows, [concept, ...siblings])
  const scopes = (['next', 'later'] as const).map(scope =>
    targetOf(countConcept(labels, siblings.length > 0, scope, vocabulary), scope, 'labels'),
  )
  return scopes[1]!.separation > scopes[0]!.separation ? scopes[1]! : scopes[0]!
}

function countConcept(labels: ConceptLabels, siblings: boolean, scope: Scope, vocabulary: number): Counts {
  const counts = empty(vocabulary)
  labels.windows.forEach((window, w) => {
    const half = halfOf(window)
    let side = 0 // later: 0 nothing labelled yet, 1 a sibling, 2 the concept
    for (let position = FIRST_POSITION; position < window.tokens.length - 1; position++) {
      const row = labels.rowStart[w]! + position - FIRST_POSITION
      if (window.documents[position] !== window.documents[position - 1] && position > FIRST_POSITION) side = 0
      let here = siblings ? 0 : 1
      for (let i = labels.offsets[row]!; i < labels.offsets[row + 1]!; i++)
        here = Math.max(here, labels.indices[i] === 0 ? 2 : 1)
      side = scope === 'later' ? Math.max(side, here) : here
      if (window.documents[position + 1] !== window.documents[position]) continue
      if (side === 0) continue
      const next = window.tokens[position + 1]!
      ;(side === 2 ? counts.concept : counts.rest)[half]![next]!++
    }
  })
  return counts
}

/** The target of a latent without a concept: the tokens that follow where it fires, against those that follow elsewhere. */
export function firingTarget(activations: Activations, latent: number, vocabulary: number): Target {
  const counts = empty(vocabulary)
  const active = new Set(activeWindows(activations, latent))
  activations.windows.forEach((window, w) => {
    const firing = active.has(w) ? activationsIn(activations, latent, w) : undefined
    for (let position = FIRST_POSITION; position < window.tokens.length - 1; position++) {
      const side = firing?.has(position) ? counts.concept : counts.rest
      side[halfOf(window)]![window.tokens[position + 1]!]!++
    }
  })
  return targetOf(counts, 'next', 'activations')
}

/** The tokens that weigh most on the concept's side, for reports. */
export function topTokens(weights: Float32Array, count: number): { token: number; weight: number }[] {
  return Array.from(weights, (weight, token) => ({ token, weight }))
    .sort((a, b) => b.weight - a.weight || a.token - b.token)
    .slice(0, count)
    .filter(({ weight }) => weight > 0)
}
