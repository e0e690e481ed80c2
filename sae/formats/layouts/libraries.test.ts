/**
 * Layouts of other libraries, small ones whose weights are made by a formula, held to values that PyTorch 2.15 gave: by
 * circuit-tracer 0.5.0's own modules (its transcoders, and Gemma Scope 2 as it loads it), and by the equations of the code of
 * lm-saes (Llama Scope), sparse_autoencoder (OpenAI), crosscoder-model-diff-replication and crosscoder_learning.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UserError } from '../../../core/errors.ts'
import { Random } from '../../../core/random.ts'
import { startEngine } from '../../../engine/engine.ts'
import { writeSafetensors } from '../../../engine/safetensors.ts'
import { tf } from '../../../engine/tf.ts'
import { type StateTensor, stateDictPieces } from '../../../engine/torch/writer.ts'
import { findSaeFiles, noticesOf, openSae } from '../index.ts'
import { saveSae } from '../saelens.ts'

interface Golden {
  readonly latents: number[]
  readonly reconstruction: number[]
  /** The file as PyTorch wrote it, where it holds more than tensors. */
  readonly file?: string
}

let folder: string
let golden: Record<string, Golden>
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'libraries-'))
  golden = JSON.parse(await readFile(new URL('libraries.golden.json', import.meta.url), 'utf8'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** The numbers of a tensor, as the script that made the values made them. */
function w(seed: number, shape: readonly number[], scale = 0.5): { shape: readonly number[]; data: Float32Array } {
  const size = shape.reduce((product, side) => product * side, 1)
  const data = Float32Array.from({ length: size }, (_, i) => scale * Math.sin(((1.3 * i * i) % 7) + 2.1 * i + seed))
  return { shape, data }
}
const small = (seed: number, size: number) => w(seed, [size], 0.1)
const bias = (seed: number, ...shape: number[]) => w(seed, shape, 0.2)
const threshold = (seed: number) => ({ shape: [F], data: w(seed, [F], 0.3).data.map(Math.abs) })

/** Width, latents, rows, layers and sites. */
const [D, F, N, L, S] = [4, 6, 5, 3, 2]

type Content = Record<string, { shape: readonly number[]; data: Float32Array | Int32Array }> | object | string
type Files = Record<string, Content>

/** Writes the files of an SAE: weights by their ending, configs as JSON, texts as they are. */
async function directoryOf(files: Files): Promise<string> {
  const directory = await mkdtemp(join(folder, 'sae-'))
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name)
    await mkdir(dirname(path), { recursive: true })
    if (name.endsWith('.safetensors')) await writeSafetensors(path, content as never)
    else if (typeof content === 'string') await writeFile(path, content, name.endsWith('.pt') ? 'base64' : 'utf8')
    else if (name.endsWith('.pt'))
      await writeFile(path, Buffer.concat(stateDictPieces(content as Record<string, StateTensor>)))
    else await writeFile(path, JSON.stringify(content))
  }
  return directory
}

const resid = 'blocks.3.hook_resid_post'
const yaml = (input: string) =>
  `model_name: m\nmodel_kind: transcoder_set\nfeature_input_hook: ${input}\nfeature_output_hook: hook_mlp_out\n`
const circuit = { W_enc: w(1, [F, D]), W_dec: w(2, [F, D]), b_enc: small(3, F), b_dec: bias(4, D) }
const gemma = {
  ...{ w_enc: w(1, [D, F]), w_dec: w(2, [F, D]), b_enc: small(3, F), b_dec: bias(4, D) },
  threshold: threshold(5),
}
const gemmaConfig = (config: object) => ({
  ...{ architecture: 'jump_relu', width: F, l0: 2, model_name: 'google/gemma-3-270m' },
  ...config,
})
const mlp = (layer: number) => ({
  hf_hook_point_in: `model.layers.${layer}.pre_feedforward_layernorm.output`,
  hf_hook_point_out: `model.layers.${layer}.post_feedforward_layernorm.output`,
})
/** Settings of training that the published files have besides. */
const llamaTraining = {
  ...{ device: 'cuda:0', seed: 42, dtype: 'torch.bfloat16', expansion_factor: 2, bias_init_method: 'all_zero', lp: 1 },
  ...{ decoder_exactly_fixed_norm: false, init_decoder_norm: 0.5, init_encoder_norm: null, l1_coefficient: 8e-5 },
  ...{ init_encoder_with_decoder_transpose: true, l1_coefficient_warmup_steps: 78125, k_warmup_steps: 78125 },
  ...{ use_batch_norm_mse: true, use_ghost_grads: false, tp_size: 1, ddp_size: 1 },
}
const llama = (config: object): Files => ({
  'hyperparams.json': {
    ...llamaTraining,
    ...{ d_model: D, d_sae: F, norm_activation: 'dataset-wise', use_decoder_bias: true, use_glu_encoder: false },
    ...{ apply_decoder_bias_to_pre_encoder: false, top_k: 2, hook_point_in: resid },
    ...{ hook_point_out: resid, dataset_average_activation_norm: { in: 5, out: 5 } },
    ...config,
  },
  'checkpoints/final.safetensors': {
    ...{ 'encoder.weight': w(1, [F, D]), 'encoder.bias': small(3, F), 'decoder.weight': w(2, [D, F]) },
    'decoder.bias': bias(4, D),
  },
})
const cltFiles = (jump: boolean): Files =>
  Object.fromEntries(
    Array.from({ length: L }, (_, l) => [
      [
        `W_enc_${l}.safetensors`,
        {
          ...{ [`W_enc_${l}`]: w(10 + l, [F, D]), [`b_enc_${l}`]: small(20 + l, F), [`b_dec_${l}`]: bias(30 + l, D) },
          ...(jump ? { [`threshold_${l}`]: threshold(50 + l) } : {}),
        },
      ],
      [`W_dec_${l}.safetensors`, { [`W_dec_${l}`]: w(40 + l, [F, L - l, D]) }],
    ]).flat(),
  )
const gemmaClt = (more: (layer: number) => object = () => ({}), affine_connection = false): Files => ({
  'config.json': gemmaConfig({ type: 'clt', affine_connection, ...mlp(0) }),
  ...Object.fromEntries(
    Array.from({ length: L }, (_, l) => [
      `params_layer_${l}.safetensors`,
      {
        ...{ w_enc: w(10 + l, [D, F]), w_dec: w(40 + l, [F, L, D]), b_enc: small(20 + l, F), b_dec: bias(30 + l, D) },
        ...{ threshold: threshold(50 + l), ...more(l) },
      },
    ]),
  ),
})
const affinePath = (l: number) => ({ affine_skip_connection: w(60 + l, [D, D]) })
const dictionary = (dict_class: string, kind: number, tensors: object = {}, settings: object = {}): Files => ({
  'ae.pt': {
    ...{ 'encoder.weight': w(1, [S, D, F]), 'encoder.bias': small(3, F), 'decoder.weight': w(2, [S, F, D]) },
    ...{ 'decoder.bias': bias(4, S, D), code_normalization_id: { shape: [], data: Int32Array.of(kind) }, ...tensors },
  },
  'config.json': { trainer: { dict_class, activation_dim: D, dict_size: F, num_layers: S, ...settings } },
})
const batch = (kind: number, value: number, settings: object = {}) =>
  dictionary(
    'BatchTopKCrossCoder',
    kind,
    { k: { shape: [], data: Int32Array.of(2) }, threshold: { shape: [], data: Float32Array.of(value) } },
    { k: 2, ...settings },
  )
const diffing: Files = {
  'cc_weights.pt': { W_enc: w(1, [S, D, F]), W_dec: w(2, [F, S, D]), b_enc: small(3, F), b_dec: bias(4, S, D) },
  'cfg.json': {
    d_in: D,
    dict_size: F,
    seed: 49,
    l1_coeff: 2,
    hook_point: 'blocks.14.hook_resid_pre',
    enc_dtype: 'fp32',
  },
}
const openaiRelu = {
  ...{ pre_bias: bias(4, D), latent_bias: small(3, F), 'encoder.weight': w(1, [F, D]), 'decoder.weight': w(2, [D, F]) },
  stats_last_nonzero: { shape: [F], data: BigInt64Array.from({ length: F }, () => 0n) },
}

const each = (site: string) => Array.from({ length: L }, (_, l) => `blocks.${l}.${site}`).join(',')
const transcoderSites = ['blocks.3.mlp.hook_in', 'blocks.3.hook_mlp_out']

const layouts: Record<string, { files: Files | (() => Files); architecture: string; sites: unknown[] }> = {
  'ct-relu': {
    files: { 'layer_3.safetensors': circuit, 'config.yaml': yaml('mlp.hook_in') },
    architecture: 'transcoder',
    sites: transcoderSites,
  },
  'ct-jump': {
    files: {
      'layer_3.safetensors': { ...circuit, 'activation_function.threshold': threshold(5) },
      'config.yaml': yaml('mlp.hook_in'),
    },
    architecture: 'jumprelu_transcoder',
    sites: transcoderSites,
  },
  'ct-skip': {
    files: { 'layer_3.safetensors': { ...circuit, W_skip: w(6, [D, D]) } },
    architecture: 'skip_transcoder',
    sites: ['', undefined],
  },
  'clt-relu': {
    files: { ...cltFiles(false), 'config.yaml': yaml('hook_resid_mid') },
    architecture: 'cross_layer_transcoder',
    sites: [each('hook_resid_mid'), each('hook_mlp_out')],
  },
  'clt-jump': {
    files: { ...cltFiles(true), 'config.yaml': yaml('mlp.hook_in') },
    architecture: 'cross_layer_transcoder',
    sites: [each('mlp.hook_in'), each('hook_mlp_out')],
  },
  'gs2-sae': {
    files: {
      'params.safetensors': gemma,
      'config.json': gemmaConfig({ type: 'sae', affine_connection: false, hf_hook_point_in: 'model.layers.3.output' }),
    },
    architecture: 'jumprelu',
    sites: [resid, undefined],
  },
  'gs2-transcoder': {
    files: {
      'params.safetensors': { ...gemma, affine_skip_connection: w(6, [D, D]) },
      'config.json': gemmaConfig({ type: 'transcoder', affine_connection: true, ...mlp(3) }),
    },
    architecture: 'jumprelu_skip_transcoder',
    sites: transcoderSites,
  },
  'gs2-clt': {
    files: gemmaClt(),
    architecture: 'cross_layer_transcoder',
    sites: [each('mlp.hook_in'), each('hook_mlp_out')],
  },
  'gs2-clt-affine': {
    files: gemmaClt(affinePath, true),
    architecture: 'cross_layer_skip_transcoder',
    sites: [each('mlp.hook_in'), each('hook_mlp_out')],
  },
  'llama-sae': {
    files: llama({ act_fn: 'jumprelu', jump_relu_threshold: 0.21, sparsity_include_decoder_norm: true }),
    architecture: 'jumprelu',
    sites: [resid, undefined],
  },
  'llama-transcoder': {
    files: llama({
      ...{ act_fn: 'topk', jump_relu_threshold: 0.11, sparsity_include_decoder_norm: true },
      ...{ hook_point_in: 'blocks.3.ln2.hook_normalized', hook_point_out: 'blocks.3.hook_mlp_out' },
      dataset_average_activation_norm: { in: 8, out: 3 },
    }),
    architecture: 'jumprelu_transcoder',
    sites: ['blocks.3.ln2.hook_normalized', 'blocks.3.hook_mlp_out'],
  },
  'llama-topk': {
    files: llama({ act_fn: 'topk', jump_relu_threshold: 0, sparsity_include_decoder_norm: false }),
    architecture: 'topk',
    sites: [resid, undefined],
  },
  'openai-topk': {
    files: () => ({ 'resid_post_mlp_v5_32k/autoencoders/3.pt': golden['openai-topk']!.file! }),
    architecture: 'topk',
    sites: [resid, undefined],
  },
  'openai-relu': { files: { 'autoencoder.pt': openaiRelu }, architecture: 'standard', sites: ['', undefined] },
  cc: { files: diffing, architecture: 'crosscoder', sites: ['', undefined] },
  dlcc: { files: dictionary('CrossCoder', 1), architecture: 'crosscoder', sites: ['', undefined] },
  'dlcc-batch': { files: batch(1, 1.6), architecture: 'jumprelu_crosscoder', sites: ['', undefined] },
  'dlcc-sae': { files: batch(2, 1.2), architecture: 'jumprelu_crosscoder', sites: ['', undefined] },
  'dlcc-mixed': {
    files: batch(3, 1.6, { code_normalization_alpha_sae: 0.7, code_normalization_alpha_cc: 0.4 }),
    architecture: 'jumprelu_crosscoder',
    sites: ['', undefined],
  },
  'dlcc-none': { files: batch(4, 0.9), architecture: 'jumprelu_crosscoder', sites: ['', undefined] },
}

describe('an SAE of another library', () => {
  test.each(Object.keys(layouts))('%s encodes and decodes as its library does, and is kept so', async name => {
    const { files, architecture, sites } = layouts[name]!
    const before = tf.memory().numTensors
    const directory = await directoryOf(typeof files === 'function' ? files() : files)
    const kept = join(directory, 'kept')
    const sae = await openSae(directory)
    expect(sae.architecture).toBe(architecture)
    expect([sae.metadata.hook_name, sae.metadata.hook_name_out]).toEqual(sites)
    await mkdir(kept)
    await saveSae(kept, sae)
    const again = await openSae(kept)
    const x = tf.tensor2d(w(99, [N * sae.width], 2).data, [N, sae.width])
    for (const opened of [sae, again]) {
      const [z, y] = [opened.encodeDense(x), opened.reconstruct(x)]
      const far = (found: ArrayLike<number>, expected: readonly number[]) => {
        expect(found.length).toBe(expected.length)
        return Math.max(...expected.map((value, i) => Math.abs(found[i]! - value)))
      }
      expect(far(z.dataSync(), golden[name]!.latents)).toBeLessThan(3e-6)
      expect(far(y.dataSync(), golden[name]!.reconstruction)).toBeLessThan(3e-6)
      tf.dispose([z, y])
      opened.dispose()
    }
    x.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe('what a layout cannot be read for is said', () => {
  const affine = { affine_skip_connection: w(6, [D, D]) }
  const sae = (config: object, tensors: object = gemma): Files => ({
    'params.safetensors': tensors,
    'config.json': gemmaConfig({ hf_hook_point_in: 'model.layers.3.output', ...config }),
  })
  test.each<[string, Files, string]>([
    ['Gemma Scope 2, another activation', sae({ architecture: 'topk' }), 'only "jump_relu" can be read'],
    ['Gemma Scope 2, a crosscoder', sae({ type: 'crosscoder' }), 'is a crosscoder of Gemma Scope 2'],
    ['Gemma Scope 2, a key', sae({ scale: 3 }), 'scale is 3; that key is not known'],
    ['Gemma Scope 2, a tensor', sae({}, { ...gemma, ...affine }), 'affine connection, which is known of transcoders'],
    ['Gemma Scope 2, a path that is not there', sae({ type: 'transcoder', affine_connection: true }), 'have none'],
    ['Gemma Scope 2, a CLT affine in part', gemmaClt(l => (l === 1 ? affinePath(l) : {}), true), '1 of the 3 layers'],
    ['Gemma Scope 2, a CLT that is affine unsaid', gemmaClt(affinePath), 'but the weights have one'],
    ['Llama Scope, a gated encoder', llama({ act_fn: 'relu', use_glu_encoder: true }), 'use_glu_encoder is true'],
    ['Llama Scope, a scale by batch', llama({ act_fn: 'relu', norm_activation: 'batch-wise' }), 'batch-wise'],
    [
      'Llama Scope, no norm',
      llama({ act_fn: 'relu', dataset_average_activation_norm: null }),
      'average norm of the input',
    ],
    ['Llama Scope, an activation', llama({ act_fn: 'tanh' }), 'The activation tanh'],
    ['crosscoder, a key', { ...diffing, 'cfg.json': { d_in: D, scale: [1, 2] } }, 'scale is [1,2]'],
    ['crosscoder, another width', { ...diffing, 'cfg.json': { d_in: 5 } }, 'says d_in is 5'],
    ['crosscoder, a code for each site', batch(5, 1), 'is not read'],
    [
      'circuit-tracer, thresholds below 0',
      {
        'layer_0.safetensors': { ...circuit, 'activation_function.threshold': bias(5, F) },
      },
      'thresholds below 0',
    ],
    [
      'circuit-tracer, a tensor',
      { 'layer_0.safetensors': { ...circuit, log_thresholds: bias(5, F) } },
      'holds log_thresholds',
    ],
    [
      'circuit-tracer, a key',
      { 'layer_0.safetensors': circuit, 'config.yaml': 'feature_scale: 2\n' },
      'feature_scale is 2',
    ],
    ['circuit-tracer, no YAML', { 'layer_0.safetensors': circuit, 'config.yaml': 'a: [\n' }, 'is not YAML'],
    [
      'circuit-tracer, a decoder that is cut',
      {
        ...cltFiles(false),
        'W_dec_1.safetensors': { W_dec_1: w(1, [F, 1, D]) },
      },
      'W_dec_1 in',
    ],
    ['OpenAI, a tensor', { 'autoencoder.pt': { ...openaiRelu, scale: bias(1, 1) } }, 'holds scale'],
  ])('%s', async (_, files, sentence) => {
    const before = tf.memory().numTensors
    await expect(openSae(await directoryOf(files))).rejects.toThrow(sentence)
    expect(tf.memory().numTensors).toBe(before)
  })
  test('and what a reader should know is a notice', async () => {
    const notices = async (files: Files) => {
      const opened = await openSae(await directoryOf(files))
      opened.dispose()
      // They are kept with the SAE, whose bytes are the same wherever its files came from.
      expect(noticesOf(opened).join()).not.toContain(folder)
      return noticesOf(opened)
    }
    expect(await notices(diffing)).toEqual([expect.stringContaining('each times √4 / its mean norm')])
    expect(await notices(gemmaClt())).toEqual([expect.stringContaining('write to layers before their own')])
    expect(await notices(batch(1, -1))).toEqual([expect.stringContaining('was never estimated')])
  })
})

/** Changed copies of each file of each layout; `npm run test:long` makes 400 times as many. */
const changes = process.env.PIPELINE_LONG ? 2000 : 5

test.each(Object.keys(layouts))(
  '%s with changed bytes opens whole or is refused in one sentence, and leaves nothing',
  { timeout: 3_600_000 },
  async name => {
    const { files } = layouts[name]!
    const all = typeof files === 'function' ? files() : files
    const directory = await directoryOf(all)
    const random = new Random(4, name)
    const before = tf.memory().numTensors
    for (const file of Object.keys(all)) {
      const path = join(directory, file)
      const original = await readFile(path)
      for (let i = 0; i < changes; i++) {
        const bytes = Uint8Array.from(original)
        for (let n = random.int(3); n >= 0; n--) bytes[random.int(Math.min(bytes.length, 700))] = random.int(256)
        await writeFile(path, random.uniform() < 0.2 ? bytes.subarray(0, random.int(bytes.length)) : bytes)
        try {
          ;(await openSae(directory)).dispose()
        } catch (error) {
          if (!(error instanceof UserError)) throw error
          expect(error.message).toMatch(/^[^\n]{10,600}[.?]$/)
        }
      }
      await writeFile(path, original)
    }
    expect(tf.memory().numTensors).toBe(before)
  },
)

test('of many layers in a folder one is named by its file', async () => {
  const directory = await directoryOf({ 'layer_0.safetensors': circuit, 'layer_1.safetensors': circuit })
  await expect(openSae(directory)).rejects.toThrow('holds 2 SAEs')
  const file = join(directory, 'layer_1.safetensors')
  expect(await findSaeFiles(file)).toMatchObject({ format: 'circuit-tracer', file, source: file, directory })
  const sae = await openSae(file)
  expect(sae.latents).toBe(F)
  sae.dispose()
})
