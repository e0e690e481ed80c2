/**
 * SAEs of which one matrix stays as it was drawn while all else learns (Korznikov et al. 2026, arXiv:2602.14111): what passes for
 * them was not found by learning directions.
 */
import type { Baseline } from './baseline.ts'
import { trainBaseline } from './trained.ts'

const frozen = (freeze: 'encoder' | 'decoder'): Baseline => ({
  text: `an SAE with a frozen random ${freeze}`,
  byDefault: false,
  drawn: true,
  async make(source) {
    const sae = await trainBaseline(source, source.material.model, freeze)
    return { sae, dispose: () => sae.dispose() }
  },
})

export const frozenDecoder = frozen('decoder')
export const frozenEncoder = frozen('encoder')
