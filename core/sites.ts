/**
 * The grammar of site names, which are TransformerLens's: `blocks.LAYER.SITE` inside a block, `hook_embed`,
 * `ln_final.hook_scale` or `unembed.hook_in` outside. Which sites a model has is `model/sites.ts`'s to say.
 */

/** A site in a block: `blocks.3.attn.hook_z` is `attn.hook_z` of layer 3. */
export interface BlockSite {
  readonly layer: number
  readonly site: string
}

/** The name of a site in a block; without `site` the part before it, `blocks.3.`. */
export function inBlock(layer: number | string, site = ''): string {
  return `blocks.${layer}.${site}`
}

/** Layer and site of a name such as `blocks.3.hook_resid_post`; undefined for one outside the blocks. */
export function blockOf(name: string): BlockSite | undefined {
  const [, layer, site] = /^blocks\.(0|[1-9]\d*)\.(.+)$/.exec(name) ?? []
  return layer === undefined ? undefined : { layer: Number(layer), site: site! }
}

/** Whether a text is in this grammar, rather than a module's path in another library. */
export function isSiteName(name: string): boolean {
  return blockOf(name) !== undefined || /^(hook_|ln_final\.|unembed\.)/.test(name)
}

/** Which block a stored residual stands before or after; undefined for any other site. A forward pass can start there. */
export function residualOf(name: string): { layer: number; side: 'pre' | 'post' } | undefined {
  const block = blockOf(name)
  if (block?.site === 'hook_resid_pre') return { layer: block.layer, side: 'pre' }
  if (block?.site === 'hook_resid_post') return { layer: block.layer, side: 'post' }
  return undefined
}
