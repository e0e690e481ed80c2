/**
 * Labels by rule: the plainest description that says where a latent fires.
 *
 * Candidates are the token itself (one, or a set grown while it helps), the token before, and every labelled concept.
 * Each is judged by F1 with the activation's mass as its precision: precision = share of the activation that lies where
 * the rule holds, recall = share of the rule's tokens at which the latent fires. The best is chosen on one set of
 * windows and scored on another.
 */
import { conceptMask, type TokenDataset } from '../../datasets/document.ts'
import { type Activations, firstPosition } from '../../latents/activations.ts'

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
  /** Share of all tokens where the rule holds: what a latent without the concept would reach as precision. */
  readonly baseRate: number
}

/** Facts that rules ask about, prepared once for a set of activations. Tokens before `firstPosition` are left out. */
export interface RuleFacts {
  readonly activations: Activations
  readonly tokenCounts: ReadonlyMap<number, number>
  readonly previousCounts: ReadonlyMap<number, number>
  /** `masks[window][position]` says where the concept holds; `count` is over all windows. */
  readonly concepts: readonly { name: string; masks: readonly Uint8Array[]; count: number }[]
}

/** Prepares the facts; `concepts` are those to try as labels. */
export function ruleFacts(activations: Activations, dataset: TokenDataset, concepts: readonly string[]): RuleFacts {
  const { windows, tokens } = activations
  const tokenCounts = new Map<number, number>()
  const previousCounts = new Map<number, number>()
  const add = (counts: Map<number, number>, token: number) => counts.set(token, (counts.get(token) ?? 0) + 1)
  for (const window of windows)
    for (let position = firstPosition; position < window.tokens.length; position++) {
      add(tokenCounts, window.tokens[position]!)
      add(previousCounts, window.tokens[position - 1]!)
    }
  const held = concepts.map(name => {
    const masks = windows.map(window => conceptMask(dataset, window, name))
    const count = masks.reduce((sum, mask) => sum + mask.subarray(firstPosition).reduce((a, bit) => a + bit, 0), 0)
    return { name, masks, count }
  })
  return { activations, tokenCounts, previousCounts, concepts: held.filter(({ count }) => count > 0 && count < tokens) }
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

/** Scores a rule on the windows of `facts`. */
export function scoreRule(facts: RuleFacts, latent: number, rule: Rule): RuleScore {
  const { offsets, window, position, value, tokens } = facts.activations
  const concept = rule.kind === 'concept' ? facts.concepts.find(({ name }) => name === rule.values[0]) : undefined
  const wanted = new Set(rule.values)
  const holds = (entry: number) =>
    rule.kind === 'concept'
      ? concept?.masks[window[entry]!]?.[position[entry]!] === 1
      : wanted.has(tokenAt(facts.activations, entry, rule.kind))
  let mass = 0
  let inside = 0
  let hits = 0
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) {
    mass += value[e]!
    if (holds(e)) {
      inside += value[e]!
      hits++
    }
  }
  const counts = rule.kind === 'token' ? facts.tokenCounts : facts.previousCounts
  const population =
    rule.kind === 'concept'
      ? (concept?.count ?? 0)
      : rule.values.reduce<number>((sum, token) => sum + (counts.get(token as number) ?? 0), 0)
  return scoreOf(mass, inside, hits, population, tokens)
}

/** The token at an entry, or the one before it. */
function tokenAt({ windows, window, position }: Activations, entry: number, kind: 'token' | 'previous-token'): number {
  return windows[window[entry]!]!.tokens[position[entry]! - (kind === 'token' ? 0 : 1)]!
}

function scoreOf(mass: number, inside: number, hits: number, population: number, tokens: number): RuleScore {
  const precision = mass > 0 ? inside / mass : 0
  const recall = population > 0 ? hits / population : 0
  const f1 = precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0
  return { precision, recall, f1, baseRate: tokens > 0 ? population / tokens : 0 }
}

/** Grows a set of tokens, most activation first, for as long as F1 rises. */
function tokenRule(facts: RuleFacts, latent: number, kind: 'token' | 'previous-token', largest: number): Rule {
  const { offsets, value, tokens } = facts.activations
  const counts = kind === 'token' ? facts.tokenCounts : facts.previousCounts
  const byToken = new Map<number, { mass: number; hits: number }>()
  let mass = 0
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) {
    const token = tokenAt(facts.activations, e, kind)
    const part = byToken.get(token) ?? { mass: 0, hits: 0 }
    part.mass += value[e]!
    part.hits++
    byToken.set(token, part)
    mass += value[e]!
  }
  const ranked = [...byToken].sort(([a, x], [b, y]) => y.mass - x.mass || a - b).slice(0, largest)
  const chosen: number[] = []
  let inside = 0
  let hits = 0
  let population = 0
  let bestF1 = -1
  for (const [token, part] of ranked) {
    const next = scoreOf(mass, inside + part.mass, hits + part.hits, population + (counts.get(token) ?? 0), tokens)
    if (next.f1 <= bestF1) continue
    bestF1 = next.f1
    inside += part.mass
    hits += part.hits
    population += counts.get(token) ?? 0
    chosen.push(token)
  }
  return { kind, values: chosen }
}
