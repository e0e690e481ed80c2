/** At which tokens, and after which, a latent fires. */
import type { Activations } from '../../latents/activations.ts'
import type { Feature, FiringToken } from '../feature.ts'
import type { RuleFacts } from './rules.ts'

/** The tokens with most of a latent's activation: it fires at them, or right after them. */
export function firingTokens(
  { activations, tokenCounts, previousCounts }: RuleFacts,
  latent: number,
  count: number,
  tokenText: (token: number) => string,
): Pick<Feature, 'tokens' | 'previousTokens' | 'distinctTokens'> {
  const [at, before] = [sums(activations, latent, 0), sums(activations, latent, 1)]
  const told = (found: Sums, counts: ReadonlyMap<number, number>) =>
    [...found.byToken]
      .sort(([a, x], [b, y]) => y.mass - x.mass || a - b)
      .slice(0, count)
      .map(([tokenId, { mass, fires }]): FiringToken => {
        const share = Math.min(1, mass / found.mass)
        return { token: tokenText(tokenId), tokenId, fires, occurs: counts.get(tokenId)!, share }
      })
  return {
    distinctTokens: at.byToken.size,
    tokens: told(at, tokenCounts),
    previousTokens: told(before, previousCounts),
  }
}

interface Sums {
  readonly mass: number
  readonly byToken: Map<number, { mass: number; fires: number }>
}

/** A latent's activation by the token `back` places before where it fires. */
function sums({ offsets, windows, window, position, value }: Activations, latent: number, back: number): Sums {
  const byToken = new Map<number, { mass: number; fires: number }>()
  let mass = 0
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) {
    const token = windows[window[e]!]!.tokens[position[e]! - back]!
    const sum = byToken.get(token)
    if (sum) {
      sum.mass += value[e]!
      sum.fires++
    } else byToken.set(token, { mass: value[e]!, fires: 1 })
    mass += value[e]!
  }
  return { mass, byToken }
}
