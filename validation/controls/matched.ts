/**
 * Matched foreign latents: of the foreign ones those most like the latent under test in how often they fire, how strongly, and at
 * how many of its tokens. What another latent that fires there with it does just as well is not this one's.
 *
 * Nearest by Euclidean distance over log density, log mean activation and the share of the latent's tokens at which the other fires,
 * each over its standard deviation among active latents.
 */
import { standardDeviation } from '../../statistics/descriptive.ts'
import type { Control } from './control.ts'
import { foreignRows } from './foreign.ts'

export const matched: Control = {
  name: 'matched',
  rules: 'The effect is not what other latents do that fire as often, as strongly and at the same tokens.',
  draw(source, count) {
    const { latent, active, likeness } = source
    const order = [latent, ...active.filter(other => other !== latent)]
    const found = likeness(order)
    const own = found[0]!
    const keys = ['logDensity', 'logMean', 'together'] as const
    const scale = keys.map(key => (found.length > 2 ? standardDeviation(found.slice(1).map(one => one[key])) : 0))
    const distances = new Map(
      found.map((one, i) => [
        order[i]!,
        keys.reduce((sum, key, k) => sum + (scale[k]! > 0 ? ((one[key] - own[key]) / scale[k]!) ** 2 : 0), 0),
      ]),
    )
    const nearest = order.slice(1).sort((a, b) => distances.get(a)! - distances.get(b)! || a - b)
    return foreignRows(source, nearest, count)
  },
}
