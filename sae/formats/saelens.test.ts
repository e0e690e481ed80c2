/** SAELens's layouts through its versions, in numbers small enough to check by eye. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../../engine/engine.ts'
import { type TensorData, writeSafetensors } from '../../engine/safetensors.ts'
import { tf } from '../../engine/tf.ts'
import type { Sae } from '../sae.ts'
import { openSae } from './index.ts'

let folder: string
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'saelens-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const vector = (...data: number[]) => ({ shape: [data.length], data: Float32Array.from(data) })
const matrix = (...rows: number[][]) => ({
  shape: [rows.length, rows[0]!.length],
  data: Float32Array.from(rows.flat()),
})

/** Latents x₀ − 1, x₁ and their sum, which add to x̂₀ one time, to x̂₁ one time and to x̂₁ two times. */
const weights = {
  W_enc: matrix([1, 0, 1], [0, 1, 1]),
  b_enc: vector(0, 0, 0),
  W_dec: matrix([1, 0], [0, 1], [0, 2]),
  b_dec: vector(1, 0),
}

const write = async (cfg: object, tensors: Record<string, TensorData> = weights) => {
  const directory = await mkdtemp(join(folder, 'sae-'))
  await writeFile(join(directory, 'cfg.json'), JSON.stringify(cfg))
  await writeSafetensors(join(directory, 'sae_weights.safetensors'), tensors)
  return directory
}
const open = async (cfg: object, tensors?: Record<string, TensorData>) => openSae(await write(cfg, tensors))

/** Latents and reconstruction of (4, 1); the SAE is freed. */
const of = (sae: Sae) => {
  const [z, y] = tf.tidy(() => {
    const x = tf.tensor2d([[4, 1]])
    return [[...sae.encodeDense(x).dataSync()], [...sae.reconstruct(x).dataSync()]]
  })
  sae.dispose()
  return [z, y]
}

const old = {
  model_name: 'gpt2-small',
  hook_point: 'blocks.5.hook_resid_pre',
  hook_point_layer: 5,
  hook_point_head_index: 3,
  d_in: 2,
  d_sae: 3,
  dtype: 'float32',
}

describe('before version 6, a flat cfg.json', () => {
  test('has hook_point for the site, takes the bias from the input, and prepends BOS', async () => {
    const sae = await open(old)
    expect(sae.metadata).toEqual({
      model_name: 'gpt2-small',
      prepend_bos: true,
      hook_head_index: 3,
      hook_name: 'blocks.5.hook_resid_pre',
    })
    expect(sae.architecture).toBe('standard')
    expect(of(sae)).toEqual([
      [3, 1, 4],
      [4, 9],
    ])
  })
  test('may keep the bias from the input', async () => {
    expect(of(await open({ ...old, apply_b_dec_to_input: false }))).toEqual([
      [4, 1, 5],
      [5, 11],
    ])
  })
  test.each([
    ['activation_fn_str', {}],
    ['activation_fn', {}],
    ['activation_fn_str', { architecture: 'topk' }],
  ])('is a TopK by %s %o, with k among its arguments', async (key, more) => {
    const sae = await open({ ...old, ...more, [key]: 'topk', activation_fn_kwargs: { k: 1 } })
    expect(sae.architecture).toBe('topk')
    expect(of(sae)).toEqual([
      [0, 0, 4],
      [1, 8],
    ])
  })
  test.each([true, false, null])(
    'has normalize_activations %s, which leaves rows alone',
    async normalize_activations => {
      expect(of(await open({ ...old, normalize_activations }))[0]).toEqual([3, 1, 4])
    },
  )
  test('with a scaling factor multiplies what is decoded, where it is used and not 1', async () => {
    const scaled = { ...weights, scaling_factor: vector(2, 1, 0) }
    expect(of(await open({ ...old, finetuning_scaling_factor: true }, scaled))).toEqual([
      [3, 1, 4],
      [7, 1],
    ])
    const ones = { ...weights, scaling_factor: vector(1, 1, 1) }
    expect(of(await open({ ...old, finetuning_scaling_factor: false }, ones))[1]).toEqual([4, 9])
    await expect(open({ ...old, finetuning_scaling_factor: false }, scaled)).rejects.toThrow(
      'cfg.json says finetuning_scaling_factor is not used',
    )
  })
  test.each([
    [
      'an activation that is not known',
      { activation_fn_str: 'tanh-relu' },
      'activation function tanh-relu is not known',
    ],
    [
      'a normalisation that is not known',
      { normalize_activations: 'whitening' },
      'normalisation whitening is not known',
    ],
    ['another width', { d_in: 3 }, 'cfg.json says d_in is 3'],
    ['more latents a row than there are', { architecture: 'topk', k: 4 }, 'a whole number from 1 to 3'],
  ])('with %s is refused', async (_, more, sentence) => {
    await expect(open({ ...old, ...more })).rejects.toThrow(sentence)
  })
})

describe('a checkpoint of training', () => {
  test('of JumpReLU before 6.48 has logarithms of its thresholds', async () => {
    const cfg = { architecture: 'jumprelu', metadata: {} }
    const sae = await open(cfg, { ...weights, log_threshold: vector(Math.log(3.5), -9, Math.log(3.5)) })
    expect(of(sae)[0]).toEqual([0, 1, 4])
  })
  test.each(['batchtopk', 'matryoshka_batchtopk'])(
    'of %s has one threshold, against decoder norms',
    async architecture => {
      const tensors = { ...weights, topk_threshold: vector(5) }
      const ranked = await open({ architecture, k: 1, metadata: {} }, tensors)
      expect(ranked.architecture).toBe('jumprelu')
      // The third latent's decoder row has norm 2: 4 · 2 > 5, and its row is brought to norm 1.
      expect(of(ranked)).toEqual([
        [0, 0, 8],
        [1, 8],
      ])
      const plain = await open({ architecture, k: 1, rescale_acts_by_decoder_norm: false, metadata: {} }, tensors)
      expect(of(plain)).toEqual([
        [0, 0, 0],
        [1, 0],
      ])
    },
  )
})

test('a transcoder passes rows by as they were, though its latents read them normalised', async () => {
  const cfg = {
    architecture: 'skip_transcoder',
    normalize_activations: 'constant_norm_rescale',
    apply_b_dec_to_input: false,
    metadata: {},
  }
  const sae = await open(cfg, { ...weights, W_skip: matrix([1, 0], [0, 1]) })
  const [z, y] = of(sae)
  // (4, 1) has norm √17, and is brought to norm √2.
  const unit = Math.sqrt(2 / 17)
  expect(z).toEqual([4, 1, 5].map(value => expect.closeTo(value * unit, 5)))
  expect(y).toEqual([expect.closeTo(4 * unit + 1 + 4, 5), expect.closeTo(11 * unit + 1, 5)])
})

test('weights that are no numbers with a point are refused, and nothing stays behind', async () => {
  const before = tf.memory().numTensors
  const wrong = { ...weights, b_dec: { shape: [2], data: Int32Array.of(1, 0) } }
  await expect(open(old, wrong)).rejects.toThrow('b_dec')
  expect(tf.memory().numTensors).toBe(before)
})
