/** From statistics to a feature's record: density, histogram, rule and label. */
import { clip, visible } from '../core/visible.ts'
import type { Activations } from '../latents/activations.ts'
import type { Feature, RuleRecord } from './feature.ts'
import type { Rule, RuleScore } from './rules.ts'

/** Density, mean and maximum of a latent's activations, and their histogram. */
export function activationSummary(
  { offsets, value, tokens }: Activations,
  latent: number,
  bins: number,
): Pick<Feature, 'density' | 'meanActivation' | 'maxActivation' | 'histogram'> {
  const start = offsets[latent]!
  const end = offsets[latent + 1]!
  let sum = 0
  let max = 0
  for (let e = start; e < end; e++) {
    sum += value[e]!
    if (value[e]! > max) max = value[e]!
  }
  const histogram = new Array<number>(bins).fill(0)
  for (let e = start; e < end; e++) histogram[Math.min(bins - 1, Math.ceil((value[e]! / max) * bins) - 1)]! += 1
  const count = end - start
  return {
    density: tokens > 0 ? count / tokens : 0,
    meanActivation: count > 0 ? sum / count : null,
    maxActivation: max,
    histogram,
  }
}

/** A rule as other programs read it. */
export function ruleRecord({ kind, values }: Rule, tokenText: (token: number) => string): RuleRecord {
  if (kind === 'concept') return { kind, tokens: [], tokenIds: [], concept: String(values[0]) }
  const tokenIds = values.map(Number)
  return { kind, tokens: tokenIds.map(tokenText), tokenIds, concept: null }
}

/**
 * The label: the rule in words where it holds on the text that did not choose it. The score that decides is the one that is
 * reported, and a rule that holds nowhere is no label however low the bar.
 */
export function labelOf(
  rule: RuleRecord | null,
  score: RuleScore | undefined,
  minimumF1: number,
): Pick<Feature, 'label' | 'labelKind'> {
  if (!rule || !score || score.f1 === 0 || score.f1 < minimumF1) return { label: null, labelKind: 'none' }
  return { label: inWords(rule), labelKind: rule.kind }
}

/** A rule in words; long lists of tokens and long tokens are shortened, the record has all of them. */
export function inWords({ kind, tokens, concept }: RuleRecord): string {
  if (kind === 'concept') return clip(visible(concept!), 120)
  const named = listed(tokens.map(token => `“${clip(visible(token), 40)}”`))
  return kind === 'token' ? named : `after ${named}`
}

/** `a`, `a or b`, `a, b or c`; long lists end in their count. */
function listed(items: readonly string[]): string {
  const shown = items.length > 5 ? [...items.slice(0, 4), `${items.length - 4} more`] : items
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} or ${shown[shown.length - 1]}`
}
