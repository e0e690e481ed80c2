/** A latent's rule as a record, in words, and as its label where it holds well enough. */
import { clip, visible } from '../../core/visible.ts'
import type { Explanation } from '../explanation.ts'
import type { Feature, RuleRecord } from '../feature.ts'
import type { Rule, RuleScore } from './rules.ts'

/** A rule as other programs read it. */
export function ruleRecord({ kind, values }: Rule, tokenText: (token: number) => string): RuleRecord {
  if (kind === 'concept') return { kind, tokens: [], tokenIds: [], concept: String(values[0]) }
  const tokenIds = values.map(Number)
  return { kind, tokens: tokenIds.map(tokenText), tokenIds, concept: null }
}

/** What a record says of its label. */
export type Label = Pick<
  Feature,
  | 'label'
  | 'labelKind'
  | 'labelScoreName'
  | 'labelScore'
  | 'labelScoreLow'
  | 'labelScoreHigh'
  | 'labelCoverage'
  | 'labelSource'
>

/** No label: nothing holds well enough. */
export const noLabel: Label = {
  ...{ label: null, labelKind: 'none', labelScoreName: null, labelScore: null },
  ...{ labelScoreLow: null, labelScoreHigh: null, labelCoverage: null, labelSource: null },
}

/**
 * The label: the rule in words where it holds on the text that did not choose it. The score that decides is the one that is
 * reported, and a rule that holds nowhere is no label however low the bar. It covers the activation that lies where the rule
 * holds, which is its precision.
 */
export function labelOf(rule: RuleRecord | null, score: RuleScore | undefined, minimumF1: number): Label {
  if (!rule || !score || score.f1 === 0 || score.f1 < minimumF1) return noLabel
  return {
    ...{ label: inWords(rule), labelKind: rule.kind, labelScoreName: 'f1', labelScore: score.f1 },
    ...{ labelScoreLow: null, labelScoreHigh: null, labelCoverage: score.precision, labelSource: 'rule' },
  }
}

/**
 * An explanation as the label: where detection with it is better than chance, with its whole interval, on text that the
 * explanation was not made from.
 */
export function labelOfExplanation({ text, model, detection, coverage }: Explanation): Label {
  if (text === null || detection?.value == null || detection.low === null || detection.low <= 0.5) return noLabel
  return {
    ...{ label: clip(visible(text), 300), labelKind: 'explanation', labelScoreName: 'detection' },
    ...{ labelScore: detection.value, labelScoreLow: detection.low, labelScoreHigh: detection.high },
    ...{ labelCoverage: coverage, labelSource: model },
  }
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
