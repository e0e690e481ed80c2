/** The named places of a forward pass (TransformerLens strings), in the order in which it comes to them. */
import { inBlock } from '../core/sites.ts'
import type { Architecture } from './architecture.ts'
import type { Site } from './model.ts'

/** The sites that exist only where a hook or `until` asks for them: they cost a copy of the residual for each head. */
export const splitSites = ['hook_attn_in', 'hook_q_input', 'hook_k_input', 'hook_v_input'] as const

/** Every site of an architecture, in order. */
export function sitesOf(architecture: Architecture): Site[] {
  const { width, heads, kvHeads, headDim, mlpWidth, vocabulary } = architecture.config
  const sites: Site[] = []
  const add = (name: string, axes: readonly string[], ...size: number[]) =>
    sites.push({ name, axes: ['batch', ...axes], size })
  const residual = (name: string) => add(name, ['position', 'width'], width)
  const norm = (name: string, prefix = '') => {
    add(`${prefix}${name}.hook_scale`, ['position', 'one'], 1)
    add(`${prefix}${name}.hook_normalized`, ['position', 'width'], width)
  }
  residual('hook_embed')
  if (architecture.positions) residual('hook_pos_embed')
  architecture.blocks.forEach((block, layer) => {
    const at = inBlock(layer)
    residual(`${at}hook_resid_pre`)
    // Grouped keys have no one input for each query head: q, k and v inputs serve there.
    if (kvHeads === heads) add(`${at}hook_attn_in`, ['position', 'head', 'width'], heads, width)
    add(`${at}hook_q_input`, ['position', 'head', 'width'], heads, width)
    add(`${at}hook_k_input`, ['position', 'head', 'width'], kvHeads, width)
    add(`${at}hook_v_input`, ['position', 'head', 'width'], kvHeads, width)
    if (block.ln1) norm('ln1', at)
    add(`${at}attn.hook_q`, ['position', 'head', 'headDim'], heads, headDim)
    add(`${at}attn.hook_k`, ['position', 'head', 'headDim'], kvHeads, headDim)
    add(`${at}attn.hook_v`, ['position', 'head', 'headDim'], kvHeads, headDim)
    if (block.rotary) {
      add(`${at}attn.hook_rot_q`, ['position', 'head', 'headDim'], heads, headDim)
      add(`${at}attn.hook_rot_k`, ['position', 'head', 'headDim'], kvHeads, headDim)
    }
    add(`${at}attn.hook_attn_scores`, ['head', 'query', 'key'])
    add(`${at}attn.hook_pattern`, ['head', 'query', 'key'])
    add(`${at}attn.hook_z`, ['position', 'head', 'headDim'], heads, headDim)
    add(`${at}attn.hook_result`, ['position', 'head', 'width'], heads, width)
    if (block.ln1Post) norm('ln1_post', at)
    residual(`${at}hook_attn_out`)
    if (!architecture.parallel) residual(`${at}hook_resid_mid`)
    residual(`${at}hook_mlp_in`)
    if (block.ln2) norm('ln2', at)
    residual(`${at}mlp.hook_in`)
    const { mlp } = block
    if (mlp.form !== 'experts') {
      add(`${at}mlp.hook_pre`, ['position', 'mlpWidth'], mlpWidth)
      if (mlp.form === 'fused' || mlp.gate) add(`${at}mlp.hook_pre_linear`, ['position', 'mlpWidth'], mlpWidth)
      add(`${at}mlp.hook_post`, ['position', 'mlpWidth'], mlpWidth)
    }
    residual(`${at}mlp.hook_out`)
    if (block.ln2Post) norm('ln2_post', at)
    residual(`${at}hook_mlp_out`)
    residual(`${at}hook_resid_post`)
  })
  norm('ln_final')
  residual('unembed.hook_in')
  add('unembed.hook_out', ['position', 'vocabulary'], vocabulary)
  return sites
}
