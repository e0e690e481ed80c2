/** Hookpoints: what sparsify and delphi call a site, by the module of the model. */
import { blockOf } from '../../../core/sites.ts'

/** The module whose output the site is; `sae` where it has none. */
export function hookpointOf(site: string): string {
  const block = blockOf(site)
  if (site === 'hook_embed' || site === 'blocks.0.hook_resid_pre') return 'embed_tokens'
  if (block?.site === 'hook_resid_post') return `layers.${block.layer}`
  if (block?.site === 'hook_resid_pre') return `layers.${block.layer - 1}`
  if (block?.site === 'hook_mlp_out') return `layers.${block.layer}.mlp`
  return 'sae'
}
