/** From statistics to a feature's record: density, histogram, label text. */
import type { Activations } from '../latents/activations.ts'
import type { LogitEffects } from './logits.ts'
import type { Rule, RuleScore } from './rules.ts'

/** Density, mean and maximum of a latent's activations, and their histogram. */
export function activationSummary({ offsets, value, tokens }: Activations, latent: number, bins: number) {
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
    meanActivation: count > 0 ? sum / count : 0,
    maxActivation: max,
    histogram,
  }
}

/** The label's text and kind: the rule where it holds well enough, else what the latent promotes. */
export function labelText(
  rule: Rule | undefined,
  score: RuleScore | undefined,
  effects: LogitEffects,
  tokenText: (token: number) => string,
  minimumF1: number,
): { label: string; labelKind: string } {
  if (rule && score && score.f1 >= minimumF1) {
    if (rule.kind === 'concept') return { label: String(rule.values[0]), labelKind: rule.kind }
    const tokens = rule.values.map(token => quote(tokenText(token as number)))
    return {
      label: rule.kind === 'token' ? listed(tokens) : `after ${listed(tokens)}`,
      labelKind: rule.kind,
    }
  }
  const promoted = effects.promoted.filter(({ effect }) => effect > 0).slice(0, 4)
  if (promoted.length === 0) return { label: '', labelKind: 'none' }
  return { label: `promotes ${listed(promoted.map(({ token }) => quote(tokenText(token))))}`, labelKind: 'promotes' }
}

const quote = (text: string) => `“${text}”`

/** `a`, `a or b`, `a, b or c`; long lists end in their count. */
function listed(items: readonly string[]): string {
  const shown = items.length > 5 ? [...items.slice(0, 4), `${items.length - 4} more`] : items
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} or ${shown[shown.length - 1]}`
}
