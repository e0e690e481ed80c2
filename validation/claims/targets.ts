/**
 * The target of a claim: what a latent should make the model say, learned without looking at its decoder direction.
 *
 *   M = Σ_v w_v · log p_v,   w = p(v | concept) − p(v | rest)
 *
 * is the difference of two expected log-likelihoods, in nats; the weights sum to zero, so it is a logit difference too.
 * For a labelled concept both distributions are of the token that comes next, counted in training text from labels
 * alone; the rest are tokens with another concept of the same group (`language=de` for `language=fr`) where there are
 * any, else all others. Without labels the text that follows the latent's own activations is counted.
 */
import { uniformOf } from '../../core/random.ts'
import type { TokenWindow } from '../../datasets/document.ts'
import { type Activations, firstPosition } from '../../latents/activations.ts'
import { type ConceptLabels, groupOf } from './concepts.ts'

/** Weights over the vocabulary and how they came about. */
export interface Target {
  readonly weights: Float32Array
  /** Where the counts are from. */
  readonly source: 'labels' | 'activations'
  /** Tokens counted on either side. */
  readonly counted: { readonly concept: number; readonly rest: number }
  /**
   * How well the target tells concept from rest in documents that did not count: Σ (p − r)·ln(p̂ / r̂), in nats.
   * Near 0 the concept does not show in what comes next, and no effect on it can be expected.
   */
  readonly separation: number
}

/** Weight of the text's own distribution in each count, in tokens: rare tokens pull no estimate far. */
const smoothing = 20

/** Counts of next tokens over two halves of the documents. */
type Halves = readonly [Float64Array, Float64Array]

const zeros = (vocabulary: number): Halves => [new Float64Array(vocabulary), new Float64Array(vocabulary)]
const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0)
const plus = ([a, b]: Halves) => a.map((value, i) => value + b[i]!)

/** Which half of the documents a window belongs to. */
const halfOf = (window: TokenWindow) => (uniformOf('target', window.id) < 0.5 ? 0 : 1)

/** Smoothed distribution: (count + smoothing · base) / (total + smoothing). */
function distribution(counts: Float64Array, base: Float64Array): Float64Array {
  const total = sum(counts) + smoothing
  return counts.map((count, v) => (count + smoothing * base[v]!) / total)
}

/** The target that two sides' counts give. */
function targetOf(concept: Halves, rest: Halves, source: Target['source']): Target {
  const [conceptAll, restAll] = [plus(concept), plus(rest)]
  const vocabulary = conceptAll.length
  const total = sum(conceptAll) + sum(restAll)
  const base = conceptAll.map((count, v) => (count + restAll[v]! + 1 / vocabulary) / (total + 1))
  const separationOf = (half: 0 | 1) => {
    const other = half === 0 ? 1 : 0
    const [pFit, rFit] = [distribution(concept[other], base), distribution(rest[other], base)]
    const [p, r] = [concept[half], rest[half]]
    const [pTotal, rTotal] = [sum(p), sum(r)]
    if (pTotal === 0 || rTotal === 0) return 0
    return p.reduce((s, _, v) => s + (p[v]! / pTotal - r[v]! / rTotal) * Math.log(pFit[v]! / rFit[v]!), 0)
  }
  const [p, r] = [distribution(conceptAll, base), distribution(restAll, base)]
  return {
    source,
    weights: Float32Array.from(p, (value, v) => value - r[v]!),
    counted: { concept: sum(conceptAll), rest: sum(restAll) },
    separation: (separationOf(0) + separationOf(1)) / 2,
  }
}

/** Next tokens counted for every concept, every group and all of a labelled text. Sparse: token → counts of the halves. */
export interface TargetCounts {
  readonly labels: ConceptLabels
  readonly vocabulary: number
  readonly concepts: readonly ReadonlyMap<number, Pair>[]
  readonly groups: ReadonlyMap<string, ReadonlyMap<number, Pair>>
  readonly all: ReadonlyMap<number, Pair>
}
type Pair = [number, number]

/** Counts what follows each concept's tokens, within documents, in one pass. */
export function countTargets(labels: ConceptLabels, vocabulary: number): TargetCounts {
  const concepts = labels.concepts.map(() => new Map<number, Pair>())
  const groups = new Map(labels.concepts.map(name => [groupOf(name), new Map<number, Pair>()]))
  const groupNames = [...groups.keys()]
  const groupPlaces = labels.concepts.map(name => groupNames.indexOf(groupOf(name)))
  const groupCounts = [...groups.values()]
  // The row that last counted for each group: a row counts once for each of its groups.
  const lastRow = new Int32Array(groupNames.length).fill(-1)
  const all = new Map<number, Pair>()
  const add = (counts: Map<number, Pair>, token: number, half: 0 | 1) => {
    const found = counts.get(token)
    if (found) found[half]++
    else counts.set(token, half === 0 ? [1, 0] : [0, 1])
  }
  labels.windows.forEach((window, w) => {
    const half = halfOf(window)
    for (let position = firstPosition; position < window.tokens.length - 1; position++) {
      if (!isFollowed(window, position)) continue
      const next = window.tokens[position + 1]!
      const row = labels.rowStart[w]! + position - firstPosition
      add(all, next, half)
      for (let i = labels.offsets[row]!; i < labels.offsets[row + 1]!; i++) {
        const concept = labels.indices[i]!
        add(concepts[concept]!, next, half)
        const group = groupPlaces[concept]!
        if (lastRow[group] === row) continue
        lastRow[group] = row
        add(groupCounts[group]!, next, half)
      }
    }
  })
  return { labels, vocabulary, concepts, groups, all }
}

/** The target of a labelled concept, by its place in the labels' concepts. */
export function conceptTarget(counts: TargetCounts, concept: number): Target {
  const { labels, vocabulary } = counts
  const group = groupOf(labels.concepts[concept]!)
  const siblings = labels.concepts.some(
    (other, i) => i !== concept && groupOf(other) === group && counts.concepts[i]!.size > 0,
  )
  const own = dense(counts.concepts[concept]!, vocabulary)
  // Tokens of the group, or all tokens, less those that carry the concept.
  const rest = dense(siblings ? counts.groups.get(group)! : counts.all, vocabulary)
  for (const half of [0, 1] as const) for (let v = 0; v < vocabulary; v++) rest[half][v]! -= own[half][v]!
  return targetOf(own, rest, 'labels')
}

function dense(counts: ReadonlyMap<number, Pair>, vocabulary: number): Halves {
  const halves = zeros(vocabulary)
  for (const [token, [first, second]] of counts) {
    halves[0][token] = first
    halves[1][token] = second
  }
  return halves
}

/** Next tokens of some windows, whoever fires on them: what is left of them where a latent is silent. */
interface FollowingText {
  /** Which half of the documents each window is of. */
  readonly half: Uint8Array
  readonly all: Halves
}

/** What was counted of windows before: the target of every random direction is made of the same text. */
const following = new WeakMap<readonly TokenWindow[], Map<number, FollowingText>>()

function followingText(windows: readonly TokenWindow[], vocabulary: number): FollowingText {
  const before = following.get(windows) ?? new Map<number, FollowingText>()
  following.set(windows, before)
  const known = before.get(vocabulary)
  if (known) return known
  const half = Uint8Array.from(windows, halfOf)
  const all = zeros(vocabulary)
  windows.forEach((window, w) => {
    for (let position = firstPosition; position < window.tokens.length - 1; position++)
      if (isFollowed(window, position)) all[half[w] as 0 | 1][window.tokens[position + 1]!]!++
  })
  const made = { half, all }
  before.set(vocabulary, made)
  return made
}

/** Whether a position has a next token of its own document. */
const isFollowed = ({ documents, tokens }: TokenWindow, position: number) =>
  position < tokens.length - 1 && documents[position + 1] === documents[position]

/** The target of a latent without a concept: the tokens that follow where it fires, against those that follow elsewhere. */
export function firingTarget(activations: Activations, latent: number, vocabulary: number): Target {
  const { windows, offsets } = activations
  const { half, all } = followingText(windows, vocabulary)
  const fired = zeros(vocabulary)
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) {
    const [w, position] = [activations.window[e]!, activations.position[e]!]
    const window = windows[w]!
    if (isFollowed(window, position)) fired[half[w] as 0 | 1][window.tokens[position + 1]!]!++
  }
  const silent = all.map((counts, side) => counts.map((count, v) => count - fired[side as 0 | 1][v]!))
  return targetOf(fired, [silent[0]!, silent[1]!], 'activations')
}

/** The tokens that weigh most on the concept's side, for reports. */
export function topTokens(weights: Float32Array, count: number): { token: number; weight: number }[] {
  return Array.from(weights, (weight, token) => ({ token, weight }))
    .sort((a, b) => b.weight - a.weight || a.token - b.token)
    .slice(0, count)
    .filter(({ weight }) => weight > 0)
}
