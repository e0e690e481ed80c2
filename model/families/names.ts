/** Names of weights as torch's modules give them. */
import type { Architecture, LinearNames, NormNames, TogetherNames } from '../architecture.ts'

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

/**
 * The head that turns the last residual into logits: `lm_head.weight`, or when tied the embedding of that name. Files of a tied model
 * may hold either of the two, or both.
 */
export const head = (embedding: string, tied: boolean): Pick<Architecture, 'unembedding' | 'tiedHead' | 'aliases'> => ({
  unembedding: tied ? embedding : 'lm_head.weight',
  tiedHead: tied ? 'lm_head.weight' : null,
  aliases: tied ? { [embedding]: ['lm_head.weight'] } : {},
})

/** The experts of a layer in transformers 5's memory, whatever its family calls them in files. */
export const togetherIn = (layer: string): TogetherNames => ({
  form: 'together',
  router: linear(`${layer}.mlp.gate`, false),
  gateUp: `${layer}.mlp.experts.gate_up_proj`,
  down: `${layer}.mlp.experts.down_proj`,
})
