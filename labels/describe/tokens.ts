/** At which tokens, and after which, a latent fires. */
import type { Feature, FiringToken } from '../feature.ts'
import type { RuleFacts } from './rules.ts'
import { firingSums, type Sums } from './sums.ts'

/** The tokens with most of a latent's activation: it fires at them, or right after them. */
export function firingTokens(
  { activations, tokenCounts, previousCounts }: RuleFacts,
  latent: number,
  count: number,
  tokenText: (token: number) => string,
  { at, before } = firingSums(activations, latent),
): Pick<Feature, 'tokens' | 'previousTokens' | 'distinctTokens'> {
  const told = (found: Sums, counts: ReadonlyMap<number, number>) =>
    found.ranked.slice(0, count).map(({ token: tokenId, mass, fires }): FiringToken => {
      const share = Math.min(1, mass / found.mass)
      return { token: tokenText(tokenId), tokenId, fires, occurs: counts.get(tokenId)!, share }
    })
  return {
    distinctTokens: at.ranked.length,
    tokens: told(at, tokenCounts),
    previousTokens: told(before, previousCounts),
  }
}
