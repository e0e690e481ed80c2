/** Names of weights as torch's modules give them. */
import type { LinearNames, NormNames } from '../architecture.ts'

/** A linear layer: `name.weight`, and `name.bias` unless it has none. */
export const linear = (name: string, bias = true, layout: LinearNames['layout'] = 'out-in'): LinearNames => ({
  weight: `${name}.weight`,
  bias: bias ? `${name}.bias` : null,
  layout,
})

/** A layer norm: `name.weight`, and `name.bias` unless it has none. */
export const norm = (name: string, bias = true): NormNames => ({
  gain: `${name}.weight`,
  bias: bias ? `${name}.bias` : null,
})

/** A norm without weights. */
export const bareNorm: NormNames = { gain: null, bias: null }
