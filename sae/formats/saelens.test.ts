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

describe('what a directory says and nobody reads', () => {
  const six = { architecture: 'standard', metadata: { sae_lens_version: '6.54.0' } }
  test.each([
    [
      'a key that is not known',
      { ...six, activation_shift: 2 },
      weights,
      'activation_shift is 2; that key is not known',
    ],
    ['one of a flat config', { ...old, activation_shift: 2 }, weights, 'activation_shift is 2; that key is not known'],
    ['a tensor', six, { ...weights, threshold: vector(1, 1, 1) }, 'holds threshold, which is not used'],
    [
      'another form of TopK',
      { ...old, activation_fn: 'topk', activation_fn_kwargs: { k: 1, signed: true } },
      weights,
      'signed is true',
    ],
    [
      'a TopK that is none',
      { ...six, activation_fn: 'topk' },
      weights,
      'a standard SAE has the activation function topk',
    ],
    [
      'a bias that is taken perhaps',
      { ...six, apply_b_dec_to_input: 'no' },
      weights,
      'must be true or false; it is no',
    ],
    ['another width of what it gives', { ...six, d_out: 3 }, weights, 'cfg.json says d_out is 3'],
    [
      'a scaling factor that is not there',
      { ...old, finetuning_scaling_factor: true },
      weights,
      'has no scaling_factor',
    ],
  ])('is refused by name: %s', async (_, cfg, tensors, sentence) => {
    const before = tf.memory().numTensors
    await expect(open(cfg, tensors)).rejects.toThrow(sentence)
    expect(tf.memory().numTensors).toBe(before)
  })
  test('is known of published files: those of gpt2-small-res-jb', async () => {
    const published = {
      ...{
        is_dataset_tokenized: false,
        use_cached_activations: false,
        cached_activations_path: 'a',
        context_size: 128,
      },
      ...{ n_batches_in_buffer: 128, total_training_tokens: 3e8, store_batch_size: 32, device: 'mps', seed: 42 },
      ...{ b_dec_init_method: 'geometric_median', expansion_factor: 32, from_pretrained_path: null, lr: 4e-4 },
      ...{ l1_coefficient: 8e-5, lr_scheduler_name: null, lr_warm_up_steps: 5000, train_batch_size: 4096 },
      ...{
        use_ghost_grads: false,
        feature_sampling_window: 1000,
        feature_sampling_method: null,
        resample_batches: 1028,
      },
      ...{ feature_reinit_scale: 0.2, dead_feature_window: 5000, dead_feature_estimation_method: 'no_fire' },
      ...{ dead_feature_threshold: 1e-8, log_to_wandb: true, wandb_project: 'p', wandb_entity: null, run_name: 'r' },
      ...{ wandb_log_frequency: 100, n_checkpoints: 10, checkpoint_path: 'c', tokens_per_buffer: 67108864 },
    }
    expect(of(await open({ ...old, ...published }))[0]).toEqual([3, 1, 4])
  })
  test('is let pass where it is known to change nothing', async () => {
    const cfg = { ...six, wandb_project: 'p', l1_coefficient: 5, metadata: { sae_lens_version: '6', anything: [1] } }
    const counted = { ...weights, n_forward_passes: { shape: [], data: Int32Array.of(7) } }
    expect(of(await open(cfg, counted))).toEqual([
      [3, 1, 4],
      [4, 9],
    ])
  })
})

test('ordinary files are taken: k as text, a site in metadata under its old name, a bias of one row', async () => {
  const metadata = { sae_lens_version: '6.0', hook_point: 'blocks.2.hook_resid_post' }
  const oneRow = { ...weights, b_dec: matrix([1, 0]) }
  const sae = await open({ architecture: 'topk', k: '1', metadata }, oneRow)
  expect(sae.metadata.hook_name).toBe('blocks.2.hook_resid_post')
  expect(of(sae)[0]).toEqual([0, 0, 4])
})

test('weights that are not numbers are refused', async () => {
  await expect(open(old, { ...weights, b_enc: vector(0, Number.NaN, 0) })).rejects.toThrow('holds NaN (its number 1)')
})

describe('a checkpoint of training on scaled rows', () => {
  const scaled = async (cfg: object, scaler: unknown, tensors: Record<string, TensorData> = weights) => {
    const directory = await write({ normalize_activations: 'expected_average_only_in', metadata: {}, ...cfg }, tensors)
    await writeFile(join(directory, 'activation_scaler.json'), JSON.stringify(scaler))
    return openSae(directory)
  }
  test('reads rows times the factor beside it, and divides what it gives', async () => {
    // (4, 1) times 2 is (8, 2): latents 7, 2, 9; they give (7 + 1, 2 + 18) / 2.
    const sae = await scaled({ architecture: 'standard' }, { scaling_factor: 2 })
    expect(sae.config.normalize_activations).toBe('none')
    expect(of(sae)).toEqual([
      [7, 2, 9],
      [4, 10],
    ])
  })
  test('has thresholds that are against scaled rows, and decoder norms from before the scale', async () => {
    // Times decoder norms the latents are 7, 2 and 18.
    const tensors = { ...weights, topk_threshold: vector(7.5) }
    const sae = await scaled({ architecture: 'batchtopk', k: 1.5 }, { scaling_factor: 2 }, tensors)
    expect(of(sae)).toEqual([
      [0, 0, 18],
      [0.5, 9],
    ])
  })
  test('chooses latents by decoder norms as it did', async () => {
    const config = { architecture: 'topk', k: 2, rescale_acts_by_decoder_norm: true }
    expect(of(await scaled(config, { scaling_factor: 2 }))).toEqual([
      [7, 0, 18],
      [4, 9],
    ])
  })
  test('without a factor is as it is', async () => {
    expect(of(await scaled({ architecture: 'standard' }, { scaling_factor: null }))[0]).toEqual([3, 1, 4])
  })
  test.each([
    [{ scaling_factor: '2' }, 'must be a number above 0; it is 2'],
    [{ scaling_factor: -1 }, 'must be a number above 0'],
    [{ scaling_factor: 2, mean: [1] }, 'mean is [1]; that key is not known'],
  ])('with %o is refused', async (scaler, sentence) => {
    await expect(scaled({ architecture: 'standard' }, scaler)).rejects.toThrow(sentence)
  })
  test('of matching pursuit, whose residual has a threshold of its own, is refused', async () => {
    const { W_dec, b_dec } = weights
    const refused = scaled({ architecture: 'matching_pursuit' }, { scaling_factor: 2 }, { W_dec, b_dec })
    await expect(refused).rejects.toThrow('a matching pursuit with an activation_scaler.json')
  })
  test('or on whitened ones is refused', async () => {
    const directory = await write({ architecture: 'standard', metadata: {} })
    await writeFile(join(directory, 'activation_whitening.safetensors'), '')
    await expect(openSae(directory)).rejects.toThrow('whitened rows (activation_whitening.safetensors)')
  })
})

describe('a checkpoint of training', () => {
  test('with thresholds in two forms is refused', async () => {
    const both = { ...weights, log_threshold: vector(0, 0, 0), threshold: vector(1, 1, 1) }
    await expect(open({ architecture: 'jumprelu', metadata: {} }, both)).rejects.toThrow('in more than one form')
  })
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
