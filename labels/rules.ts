/**
 * Labels by rule: the plainest description that says where a latent fires.
 *
 * Candidates are the token itself (one, or a set grown while it helps), the token before, and every labelled concept.
 * Each is judged by F1 with the activation's mass as its precision: precision = share of the activation that lies where
 * the rule holds, recall = share of the rule's tokens at which the latent fires. The best is chosen on one set of
 * windows and scored on another.
 */
import { conceptMask, type TokenDataset } from '../datasets/document.ts'
import type { LatentActivations } from './activations.ts'

/** Where a rule says that a latent fires. */
export interface Rule {
  readonly kind: 'token' | 'previous-token' | 'concept'
  /** Token ids for the token kinds, concept names for `concept`. */
  readonly values: readonly (number | string)[]
}

/** How well a rule describes a latent on a set of rows. */
export interface RuleScore {
  readonly precision: number
  readonly recall: number
  readonly f1: number
  /** Share of all rows where the rule holds: what a latent without the concept would reach as precision. */
  readonly baseRate: number
}

/** Row facts that rules ask about, prepared once for a set of activations. */
export interface RuleFacts {
  readonly activations: LatentActivations
  readonly previousOf: Int32Array
  readonly tokenCounts: ReadonlyMap<number, number>
  readonly previousCounts: ReadonlyMap<number, number>
  readonly concepts: readonly { name: string; mask: Uint8Array; count: number }[]
}

/** Prepares the facts; `concepts` are those to try as labels. */
export function ruleFacts(
  activations: LatentActivations,
  dataset: TokenDataset,
  concepts: readonly string[],
): RuleFacts {
  const { windows, windowOf, positionOf, tokenOf } = activations
  const rows = tokenOf.length
  const previousOf = new Int32Array(rows)
  for (let row = 0; row < rows; row++) {
    const position = positionOf[row]!
    previousOf[row] = position === 0 ? -1 : windows[windowOf[row]!]!.tokens[position - 1]!
  }
  const masks = concepts.map(name => {
    const mask = new Uint8Array(rows)
    let row = 0
    while (row < rows) {
      const window = windows[windowOf[row]!]!
      const holds = conceptMask(dataset, window, name)
      for (const w = windowOf[row]!; row < rows && windowOf[row] === w; row++) mask[row] = holds[positionOf[row]!]!
    }
    return { name, mask, count: mask.reduce((sum, bit) => sum + bit, 0) }
  })
  return {
    activations,
    previousOf,
    tokenCounts: countsOf(tokenOf),
    previousCounts: countsOf(previousOf),
    concepts: masks.filter(({ count }) => count > 0 && count < rows),
  }
}

/** The rule with the largest F1 for a latent, or undefined where it never fires. Ties prefer the earlier kind. */
export function bestRule(
  facts: RuleFacts,
  latent: number,
  largestSet = 8,
): { rule: Rule; score: RuleScore } | undefined {
  const { offsets } = facts.activations
  if (offsets[latent] === offsets[latent + 1]) return undefined
  const candidates: Rule[] = [
    tokenRule(facts, latent, 'token', largestSet),
    tokenRule(facts, latent, 'previous-token', largestSet),
    ...facts.concepts.map(({ name }): Rule => ({ kind: 'concept', values: [name] })),
  ]
  let best: { rule: Rule; score: RuleScore } | undefined
  for (const rule of candidates) {
    const score = scoreRule(facts, latent, rule)
    if (!best || score.f1 > best.score.f1 + 1e-9) best = { rule, score }
  }
  return best
}

/** Scores a rule on the rows of `facts`. */
export function scoreRule(facts: RuleFacts, latent: number, rule: Rule): RuleScore {
  const { offsets, rows, values, tokenOf } = facts.activations
  const values_ = new Set(rule.values)
  const mask = rule.kind === 'concept' ? facts.concepts.find(({ name }) => values_.has(name))?.mask : undefined
  const holds = (row: number) =>
    rule.kind === 'concept'
      ? mask?.[row] === 1
      : values_.has(rule.kind === 'token' ? tokenOf[row]! : facts.previousOf[row]!)
  let mass = 0
  let inside = 0
  let hits = 0
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) {
    mass += values[e]!
    if (holds(rows[e]!)) {
      inside += values[e]!
      hits++
    }
  }
  const counts = rule.kind === 'token' ? facts.tokenCounts : facts.previousCounts
  const population =
    rule.kind === 'concept'
      ? (facts.concepts.find(({ name }) => values_.has(name))?.count ?? 0)
      : rule.values.reduce<number>((sum, token) => sum + (counts.get(token as number) ?? 0), 0)
  return scoreOf(mass, inside, hits, population, tokenOf.length)
}

function scoreOf(mass: number, inside: number, hits: number, population: number, rows: number): RuleScore {
  const precision = mass > 0 ? inside / mass : 0
  const recall = population > 0 ? hits / population : 0
  const f1 = precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0
  return { precision, recall, f1, baseRate: rows > 0 ? population / rows : 0 }
}

/** Grows a set of tokens, most activation first, for as long as F1 rises. */
function tokenRule(facts: RuleFacts, latent: number, kind: 'token' | 'previous-token', largest: number): Rule {
  const { offsets, rows, values, tokenOf } = facts.activations
  const tokenAt = kind === 'token' ? tokenOf : facts.previousOf
  const counts = kind === 'token' ? facts.tokenCounts : facts.previousCounts
  const byToken = new Map<number, { mass: number; hits: number }>()
  let mass = 0
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) {
    const token = tokenAt[rows[e]!]!
    const part = byToken.get(token) ?? { mass: 0, hits: 0 }
    part.mass += values[e]!
    part.hits++
    byToken.set(token, part)
    mass += values[e]!
  }
  const ranked = [...byToken].sort(([a, x], [b, y]) => y.mass - x.mass || a - b).slice(0, largest)
  const chosen: number[] = []
  let inside = 0
  let hits = 0
  let population = 0
  let bestF1 = -1
  for (const [token, part] of ranked) {
    const next = scoreOf(
      mass,
      inside + part.mass,
      hits + part.hits,
      population + (counts.get(token) ?? 0),
      tokenOf.length,
    )
    if (next.f1 <= bestF1) continue
    bestF1 = next.f1
    inside += part.mass
    hits += part.hits
    population += counts.get(token) ?? 0
    chosen.push(token)
  }
  return { kind, values: chosen }
}

function countsOf(values: Int32Array): Map<number, number> {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}
