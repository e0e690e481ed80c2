/** Directories of other libraries: what they say is read or refused, and which sites their SAEs read. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../../../engine/engine.ts'
import { writeSafetensors } from '../../../engine/safetensors.ts'
import { tf } from '../../../engine/tf.ts'
import { type StateTensor, stateDictPieces } from '../../../engine/torch/writer.ts'
import { npzPieces } from '../files/npz-writer.ts'
import { noticesOf, openSae } from '../index.ts'

let folder: string
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'layouts-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const array = (shape: number[], ...data: number[]) => ({ shape, data: Float32Array.from(data) })

/** A directory of these files below a new one. */
async function directoryOf(files: Record<string, Uint8Array | Uint8Array[] | object>): Promise<string> {
  const directory = await mkdtemp(join(folder, 'sae-'))
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name)
    await mkdir(dirname(path), { recursive: true })
    if (name.endsWith('.safetensors')) await writeSafetensors(path, content as never)
    else if (Array.isArray(content)) await writeFile(path, Buffer.concat(content))
    else await writeFile(path, JSON.stringify(content))
  }
  return directory
}

/** Latents of the rows (4, 1), (1, 4); the SAE is freed. */
async function latentsOf(path: string): Promise<number[][]> {
  const sae = await openSae(path)
  const latents = tf.tidy(() =>
    sae
      .encodeDense(
        tf.tensor2d([
          [4, 1],
          [1, 4],
        ]),
      )
      .arraySync(),
  )
  sae.dispose()
  return latents
}

/** Opens, gives the site or sites, and frees. */
async function sitesOf(path: string): Promise<unknown[]> {
  const sae = await openSae(path)
  sae.dispose()
  const { hook_name, hook_name_out } = sae.metadata
  return hook_name_out === undefined ? [hook_name] : [hook_name, hook_name_out]
}

describe('dictionary_learning', () => {
  /** Latents x₀, x₁ and their sum. */
  const weights = {
    'encoder.weight': array([3, 2], 1, 0, 0, 1, 1, 1),
    'encoder.bias': array([3], 0, 0, 0),
    'decoder.weight': array([2, 3], 1, 0, 0, 0, 1, 1),
    b_dec: array([2], 0, 0),
  }
  const trainer = { dict_class: 'BatchTopKSAE', activation_dim: 2, dict_size: 3, k: 1 }
  const k = (value: number): StateTensor => ({ shape: [], data: Int32Array.of(value) })
  const of = (tensors: Record<string, StateTensor>, config: object = { trainer }) =>
    directoryOf({ 'ae.pt': stateDictPieces({ ...weights, ...tensors }), 'config.json': config })

  test('a threshold that was estimated is the one of all latents', async () => {
    const sae = await openSae(await of({ k: k(1), threshold: array([], 4.5) }))
    expect(noticesOf(sae)).toEqual([])
    sae.dispose()
    expect(await latentsOf(await of({ k: k(1), threshold: array([], 4.5) }))).toEqual([
      [0, 0, 5],
      [0, 0, 5],
    ])
  })
  test('a threshold of −1 was never estimated: every positive latent counts, and that is said', async () => {
    const directory = await of({ k: k(1), threshold: array([], -1) })
    expect(await latentsOf(directory)).toEqual([
      [4, 1, 5],
      [1, 4, 5],
    ])
    const sae = await openSae(directory)
    expect(noticesOf(sae)[0]).toContain('is -1: it was never estimated')
    sae.dispose()
  })
  test('without a threshold k latents a row are kept, and that is said', async () => {
    const directory = await of({ k: k(1) })
    expect(await latentsOf(directory)).toEqual([
      [0, 0, 5],
      [0, 0, 5],
    ])
    const sae = await openSae(directory)
    expect(noticesOf(sae)[0]).toContain('has no threshold')
    sae.dispose()
  })
  test('k stands in config.json where the file is older than its buffer', async () => {
    const old = { trainer: { ...trainer, dict_class: 'AutoEncoderTopK', k: 2 } }
    expect(await latentsOf(await of({}, old))).toEqual([
      [4, 0, 5],
      [0, 4, 5],
    ])
  })
  test.each([
    [
      'another k than the file',
      { k: k(2), threshold: array([], 0) },
      { trainer },
      'has k 2, but the config.json beside it says 1',
    ],
    [
      'a tensor that is not used',
      { k: k(1), threshold: array([], 0), scale: array([], 2) },
      { trainer },
      'holds scale',
    ],
    [
      'a key that is not known',
      {},
      { trainer: { ...trainer, activation_scale: 2 } },
      'activation_scale is 2; that key is not known',
    ],
    ['a key beside the trainer', {}, { trainer, normaliser: 'x' }, 'normaliser is "x"'],
    ['no trainer', {}, trainer, 'has no trainer'],
    ['no class', {}, { trainer: { activation_dim: 2, dict_size: 3 } }, 'a nameless class'],
  ])('with %s is refused', async (_, tensors, config, sentence) => {
    await expect(openSae(await of(tensors, config))).rejects.toThrow(sentence)
  })
  test.each([
    [{ layer: 3 }, {}, 'blocks.3.hook_resid_post'],
    [{ layer: 3, submodule_name: 'resid_post_layer_3' }, { io: 'out' }, 'blocks.3.hook_resid_post'],
    [{ layer: 3, submodule_name: 'mlp_out_layer_3' }, { io: 'out' }, ''],
    [{ layer: 3 }, { io: 'in' }, ''],
    [{ layer: 3, submodule_name: 'blocks.3.hook_mlp_out' }, { io: 'out' }, 'blocks.3.hook_mlp_out'],
  ])('of %o and %o reads %s', async (more, buffer, site) => {
    const config = { trainer: { ...trainer, ...more }, buffer }
    expect(await sitesOf(await of({ k: k(1), threshold: array([], 0) }, config))).toEqual([site])
  })
})

describe('sparsify', () => {
  const weights = {
    'encoder.weight': array([3, 2], 1, 0, 0, 1, 1, 1),
    'encoder.bias': array([3], 0, 0, 0),
    W_dec: array([3, 2], 1, 0, 0, 1, 0, 1),
    b_dec: array([2], 0, 0),
  }
  const W_skip = array([2, 2], 1, 0, 0, 1)
  const cfg = { activation: 'topk', expansion_factor: 32, normalize_decoder: true, num_latents: 3, k: 1, d_in: 2 }
  const of = async (more: object, tensors: object = {}, hookpoint = 'layers.3') => {
    const files = { 'sae.safetensors': { ...weights, ...tensors }, 'cfg.json': { ...cfg, ...more } }
    const below = Object.entries(files).map(([name, content]) => [`${hookpoint}/${name}`, content])
    return join(await directoryOf(Object.fromEntries(below)), hookpoint)
  }
  test.each([
    ['signed latents of a transcoder', { signed: true, transcode: true }, {}, 'a transcoder with signed latents'],
    ['the largest of each group', { activation: 'groupmax' }, {}, 'says that activation is "groupmax"'],
    ['a key that is not known', { scale: 2 }, {}, 'scale is 2; that key is not known'],
    ['a tensor that is not used', {}, { 'post_encs.0': array([3], 1, 1, 1) }, 'holds post_encs.0'],
    ['a skip connection that is not there', { transcode: true, skip_connection: true }, {}, 'has no W_skip'],
    ['a skip connection that it does not say', { transcode: true, skip_connection: false }, { W_skip }, 'has a W_skip'],
    ['a skip connection of an SAE', { skip_connection: true }, { W_skip }, 'known of transcoders alone'],
  ])('with %s is refused', async (_, more, tensors, sentence) => {
    await expect(openSae(await of(more, tensors))).rejects.toThrow(sentence)
  })
  test('with signed latents keeps the k largest by absolute value', async () =>
    expect(
      await latentsOf(await of({ signed: true, k: 1 }, { 'encoder.weight': array([3, 2], -2, 0, 0, 1, 1, 1) })),
    ).toEqual([
      [-8, 0, 0],
      [0, 0, 5],
    ]))
  test('takes numbers as text, and the number of latents from the expansion', async () => {
    const directory = await of({ k: '2', num_latents: 0, expansion_factor: 1.5, multi_topk: false, signed: false })
    expect(await latentsOf(directory)).toEqual([
      [4, 0, 5],
      [0, 4, 5],
    ])
  })
  test.each([
    ['layers.3.mlp', true, ['blocks.3.mlp.hook_in', 'blocks.3.mlp.hook_out']],
    ['layers.3', true, ['blocks.3.hook_resid_pre', 'blocks.3.hook_resid_post']],
    ['h.8.mlp', false, ['blocks.8.mlp.hook_out']],
    ['layers.3', false, ['blocks.3.hook_resid_post']],
    ['layers.0.attention', false, ['blocks.0.hook_attn_out']],
    ['layers.0.attention', true, ['', 'blocks.0.hook_attn_out']],
    ['layers.3.self_attn', false, ['']],
  ])('of the module %s (transcoder: %s) has the sites %j', async (hookpoint, transcode, sites) => {
    expect(await sitesOf(await of({ transcode }, {}, hookpoint))).toEqual(sites)
  })
})

describe('Gemma Scope', () => {
  const weights = {
    W_enc: array([2, 3], 1, 0, 1, 0, 1, 1),
    b_enc: array([3], 0, 0, 0),
    W_dec: array([3, 2], 1, 0, 0, 1, 0, 1),
    b_dec: array([2], 0, 0),
    threshold: array([3], 2, 2, 2),
  }
  const at = async (place: string, arrays = weights) => {
    const below = `${place}/width_16k/average_l0_5`
    return join(await directoryOf({ [`${below}/params.npz`]: npzPieces(arrays) }), below)
  }
  test.each([
    ['gemma-scope-2b-pt-res/layer_12', ['blocks.12.hook_resid_post']],
    ['gemma-scope-9b-it-mlp/layer_3', ['blocks.3.hook_mlp_out']],
    ['gemma-scope-2b-pt-att/layer_0', ['blocks.0.attn.hook_z']],
    ['gemma-scope-2b-pt-transcoders/layer_4', ['blocks.4.ln2.hook_normalized', 'blocks.4.hook_mlp_out']],
    ['gemma-scope-2b-pt-res/embedding', ['']],
    ['somewhere/layer_4', ['']],
  ])('in %s has the sites %j', async (place, sites) => expect(await sitesOf(await at(place))).toEqual(sites))
  test('transcoders are transcoders, and embedding SAEs say that their site has another scale', async () => {
    const transcoder = await openSae(await at('gemma-scope-2b-pt-transcoders/layer_4'))
    const embedding = await openSae(await at('gemma-scope-2b-pt-res/embedding'))
    expect([transcoder.architecture, embedding.architecture]).toEqual(['jumprelu_transcoder', 'jumprelu'])
    expect(transcoder.metadata.model_name).toBe('gemma-2-2b')
    expect(noticesOf(embedding)[0]).toContain('times √width in Gemma')
    transcoder.dispose()
    embedding.dispose()
  })
  test('with an array that is not used is refused', async () => {
    const more = { ...weights, W_skip: array([2, 2], 1, 0, 0, 1) }
    await expect(openSae(await at('gemma-scope-2b-pt-res/layer_12', more as never))).rejects.toThrow('holds W_skip')
  })
  test('with weights that are not numbers is refused', async () => {
    const more = { ...weights, b_dec: array([2], 0, Number.NaN) }
    await expect(openSae(await at('gemma-scope-2b-pt-res/layer_12', more))).rejects.toThrow('b_dec')
  })
})

test('a folder of no layout that is known lists those that are', async () => {
  const directory = await directoryOf({ 'weights.json': {} })
  await expect(openSae(directory)).rejects.toMatchObject({
    message: expect.stringContaining('no file there is of a layout that is known'),
    fix: expect.stringContaining('sae_weights.safetensors with cfg.json (SAELens)'),
  })
})
