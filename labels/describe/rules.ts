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
import { type FiringSums, firingSums, type Sums } from './sums.ts'

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
  sums: FiringSums = firingSums(facts.activations, latent),
  largestSet = 8,
): { rule: Rule; score: RuleScore } | undefined {
  const { offsets } = facts.activations
  if (offsets[latent] === offsets[latent + 1]) return undefined
  const candidates = [
    tokenRule(facts, 'token', sums.at, largestSet),
    tokenRule(facts, 'previous-token', sums.before, largestSet),
    ...facts.concepts.map(({ name }) => {
      const rule: Rule = { kind: 'concept', values: [name] }
      return { rule, score: scoreRule(facts, latent, rule) }
    }),
  ]
  return candidates.reduce((best, next) => (next.score.f1 > best.score.f1 + 1e-9 ? next : best))
}

/** Scores a rule on the windows of `facts`. */
export function scoreRule(facts: RuleFacts, latent: number, { kind, values }: Rule): RuleScore {
  const { offsets, windows, window, position, value, tokens } = facts.activations
  const concept = kind === 'concept' ? facts.concepts.find(({ name }) => name === values[0]) : undefined
  const wanted = new Set(values)
  const back = kind === 'token' ? 0 : 1
  let mass = 0
  let inside = 0
  let hits = 0
  const end = offsets[latent + 1]!
  for (let e = offsets[latent]!; e < end; e++) {
    const [w, at] = [window[e]!, position[e]!]
    mass += value[e]!
    const holds = kind === 'concept' ? concept?.masks[w]?.[at] === 1 : wanted.has(windows[w]!.tokens[at - back]!)
    if (!holds) continue
    inside += value[e]!
    hits++
  }
  const counts = kind === 'token' ? facts.tokenCounts : facts.previousCounts
  const population =
    kind === 'concept'
      ? (concept?.count ?? 0)
      : values.reduce<number>((sum, token) => sum + (counts.get(token as number) ?? 0), 0)
  return scoreOf(mass, inside, hits, population, tokens)
}

function scoreOf(mass: number, inside: number, hits: number, population: number, tokens: number): RuleScore {
  const precision = mass > 0 ? inside / mass : 0
  const recall = population > 0 ? hits / population : 0
  const f1 = precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0
  return { precision, recall, f1, baseRate: tokens > 0 ? population / tokens : 0 }
}

/** A set of tokens, grown by those of most activation for as long as F1 rises, and its score where it was grown. */
function tokenRule(
  facts: RuleFacts,
  kind: 'token' | 'previous-token',
  { mass, ranked }: Sums,
  largest: number,
): { rule: Rule; score: RuleScore } {
  const { tokens } = facts.activations
  const counts = kind === 'token' ? facts.tokenCounts : facts.previousCounts
  const chosen: number[] = []
  let [inside, hits, population] = [0, 0, 0]
  let score = scoreOf(mass, 0, 0, 0, tokens)
  for (const { token, ...sum } of ranked.slice(0, largest)) {
    const occurs = counts.get(token) ?? 0
    const next = scoreOf(mass, inside + sum.mass, hits + sum.fires, population + occurs, tokens)
    if (chosen.length > 0 && next.f1 <= score.f1) continue
    score = next
    inside += sum.mass
    hits += sum.fires
    population += occurs
    chosen.push(token)
  }
  return { rule: { kind, values: chosen }, score }
}
