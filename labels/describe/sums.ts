/** A latent's activation by token: at the tokens where it fires, and at those before them. */
import type { Activations } from '../../latents/activations.ts'

/** What a latent gives to one token. */
export interface TokenSum {
  readonly token: number
  readonly mass: number
  /** Times that it fires there. */
  readonly fires: number
}

export interface Sums {
  readonly mass: number
  /** The tokens, most activation first; of equal ones the smaller id first. */
  readonly ranked: readonly TokenSum[]
}

/** Where a latent fires, and right after what. */
export interface FiringSums {
  readonly at: Sums
  readonly before: Sums
}

/** Both, summed in the order of the activations. */
export function firingSums(activations: Activations, latent: number): FiringSums {
  return { at: sums(activations, latent, 0), before: sums(activations, latent, 1) }
}

/** By the token `back` places before where the latent fires. */
function sums({ offsets, windows, window, position, value }: Activations, latent: number, back: number): Sums {
  const byToken = new Map<number, { token: number; mass: number; fires: number }>()
  let mass = 0
  const end = offsets[latent + 1]!
  for (let e = offsets[latent]!; e < end; e++) {
    const token = windows[window[e]!]!.tokens[position[e]! - back]!
    const sum = byToken.get(token)
    if (sum) {
      sum.mass += value[e]!
      sum.fires++
    } else byToken.set(token, { token, mass: value[e]!, fires: 1 })
    mass += value[e]!
  }
  return { mass, ranked: [...byToken.values()].sort((x, y) => y.mass - x.mass || x.token - y.token) }
}
