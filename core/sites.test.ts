import { expect, test } from 'vitest'
import { blockOf, inBlock, isSiteName, residualOf } from './sites.ts'

test('a site in a block is its layer and its name there, and the other way round', () => {
  expect(blockOf('blocks.12.attn.hook_z')).toEqual({ layer: 12, site: 'attn.hook_z' })
  expect(inBlock(12, 'attn.hook_z')).toBe('blocks.12.attn.hook_z')
  expect(inBlock(0)).toBe('blocks.0.')
})

test('what is outside the blocks, or only looks like one, is in none', () => {
  for (const name of ['hook_embed', 'unembed.hook_in', 'blocks.x.hook_z', 'blocks.3', 'blocks.03.hook_z', 'blocks.3.'])
    expect(blockOf(name), name).toBeUndefined()
})

test("site names are told from other libraries' module paths", () => {
  const names = ['blocks.3.ln2.hook_scale', 'hook_pos_embed', 'ln_final.hook_normalized', 'unembed.hook_out']
  expect(names.filter(isSiteName)).toEqual(names)
  expect(['layers.3.mlp', 'model.layers.3', 'transformer.h.0', 'resid_post_layer_3', ''].filter(isSiteName)).toEqual([])
})

test('residuals before and after a block are where a pass can start', () => {
  expect(residualOf('blocks.4.hook_resid_pre')).toEqual({ layer: 4, side: 'pre' })
  expect(residualOf('blocks.4.hook_resid_post')).toEqual({ layer: 4, side: 'post' })
  for (const name of ['blocks.4.hook_resid_mid', 'hook_embed', 'blocks.4.hook_mlp_out'])
    expect(residualOf(name), name).toBeUndefined()
})
