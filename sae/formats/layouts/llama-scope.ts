/**
 * Llama Scope (OpenMOSS): `hyperparams.json` and `checkpoints/final.safetensors`, SAEs and transcoders. They were trained on
 * rows times √d / average norm, and are used on plain rows as their library does it: with i and o the factors of input and
 * output and n the decoder norms,
 *
 *   π = (x W_enc + b_enc / i) n     z = π 1[π > threshold]     x̂ = z (W_dec / n) i / o + b_dec / o
 */
import { dirname, join } from 'node:path'
import { UserError } from '../../../core/errors.ts'
import { quote } from '../../../core/quote.ts'
import { isSiteName } from '../../../core/sites.ts'
import { type Numbers, rowNorms, scaleColumns, scaleRows } from '../../../engine/torch/numbers.ts'
import { objectOf, readConfigFile } from '../files/bounded-file.ts'
import { checkK, matrix, readTensors, type Tensors, vector } from '../files/parts.ts'
import { mustKnowKeys } from '../files/said.ts'
import type { Imported, Layout } from './layout.ts'

type Json = Record<string, unknown>

/** Known by `hyperparams.json`. */
export const llamaScope: Layout = {
  name: 'llama-scope',
  find: names => names.filter(name => name === 'hyperparams.json'),
  read: readLlamaScope,
}

/** Keys that are of training or the machine. */
const trainingKeys = [
  ...['expansion_factor', 'dtype', 'device', 'seed', 'strict_loading', 'sae_pretrained_name_or_path', 'sae_type'],
  ...[
    'init_encoder_with_decoder_transpose',
    'init_decoder_norm',
    'init_encoder_norm',
    'init_search',
    'init_log_jumprelu',
  ],
  ...['decoder_exactly_fixed_norm', 'decoder_exactly_unit_norm', 'decoder_fixed_norm', 'use_ghost_grads', 'lp'],
  ...['l1_coefficient', 'l1_coefficient_warmup_steps', 'use_batch_norm_mse', 'k_warmup_steps', 'initial_k'],
  ...['tie_encoder_decoder', 'remove_gradient_parallel_to_decoder_directions', 'clip_grad_norm', 'model_name'],
  ...[
    'bias_init_method',
    'tp_size',
    'ddp_size',
    'use_triton_kernel',
    'sparsity_threshold_for_triton_spmm_kernel',
    'is_activation_normalized',
  ],
]

async function readLlamaScope(configPath: string): Promise<Imported> {
  const config = await readConfigFile(configPath, 'Llama Scope config')
  mustKnowKeys(
    config,
    {
      read: [
        ...['d_model', 'd_sae', 'act_fn', 'jump_relu_threshold', 'top_k', 'norm_activation', 'hook_point_in'],
        ...['hook_point_out', 'dataset_average_activation_norm', 'sparsity_include_decoder_norm', 'use_decoder_bias'],
        'apply_decoder_bias_to_pre_encoder',
      ],
      harmless: trainingKeys,
      only: { use_glu_encoder: [false] },
    },
    configPath,
  )
  const path = join(dirname(configPath), 'checkpoints', 'final.safetensors')
  const tensors = await readTensors(path)
  const [width, latents] = [size(config, 'd_model', configPath), size(config, 'd_sae', configPath)]
  const W_enc = matrix(tensors, 'encoder.weight', [width, latents], true, path)
  const b_enc = vector(tensors, 'encoder.bias', latents, path)
  const W_dec = matrix(tensors, 'decoder.weight', [latents, width], true, path)
  const b_dec =
    config.use_decoder_bias === false
      ? { shape: [width], data: new Float32Array(width) }
      : vector(tensors, 'decoder.bias', width, path)
  const [input, output] = [hook(config, 'hook_point_in'), hook(config, 'hook_point_out')]
  const transcoder = input !== '' && output !== '' && input !== output
  const scaling = scalingOf(config, tensors, { input, output, width, transcoder }, configPath)
  const kind = activationOf(config, latents, configPath)
  const onInput = config.apply_decoder_bias_to_pre_encoder === true
  if (onInput && transcoder)
    throw new UserError(
      `${configPath} takes the decoder bias from the input of a transcoder, which is of another site.`,
    )
  tensors.mustBeTaken(path)
  const plain = unscaled({ W_enc, b_enc, W_dec, b_dec }, scaling)
  const params = config.sparsity_include_decoder_norm === false ? plain : unitRows(plain)
  const threshold = { shape: [latents], data: new Float32Array(latents).fill(kind.threshold ?? 0) }
  return {
    architecture: transcoder ? transcoders[kind.name] : kind.name,
    config: {
      apply_b_dec_to_input: onInput,
      normalize_activations: scaling.normalisation,
      ...(kind.k === undefined ? {} : { k: kind.k }),
    },
    params: { ...params, ...(kind.name === 'jumprelu' ? { threshold } : {}) },
    metadata: {
      hook_name: input,
      ...(transcoder ? { hook_name_out: output } : {}),
      imported_from: { format: 'llama-scope' },
    },
  }
}

const transcoders = { jumprelu: 'jumprelu_transcoder', topk: 'topk_transcoder', standard: 'transcoder' } as const

/** A TopK with a threshold is a JumpReLU at inference, as in its library. */
function activationOf(
  config: Json,
  latents: number,
  path: string,
): { name: keyof typeof transcoders; threshold?: number; k?: number } {
  const named = String(config.act_fn)
  const threshold = config.jump_relu_threshold ?? 0
  if (typeof threshold !== 'number' || threshold < 0)
    throw new UserError(
      `jump_relu_threshold in ${path} must be a number of at least 0; it is ${quote(String(threshold))}.`,
    )
  if (named === 'jumprelu' || (['topk', 'batchtopk'].includes(named) && threshold > 0))
    return { name: 'jumprelu', threshold }
  if (named === 'topk') return { name: 'topk', k: checkK(config.top_k, latents, path) }
  if (named === 'relu') return { name: 'standard' }
  throw new UserError(`The activation ${quote(named)} of ${path} is not known.`, {
    fix: 'Known are jumprelu, topk and relu, and batchtopk with a threshold.',
  })
}

interface Scaling {
  /** √d / average norm of input and output; 1 where rows are not scaled. */
  readonly input: number
  readonly output: number
  readonly normalisation: 'none' | 'constant_norm_rescale'
}

function scalingOf(
  config: Json,
  tensors: Tensors,
  place: { input: string; output: string; width: number; transcoder: boolean },
  path: string,
): Scaling {
  const kind = config.norm_activation ?? 'dataset-wise'
  if (kind === 'inference') return { input: 1, output: 1, normalisation: 'none' }
  if (kind === 'token-wise' && !place.transcoder) return { input: 1, output: 1, normalisation: 'constant_norm_rescale' }
  if (kind !== 'dataset-wise')
    throw new UserError(
      `${path} says that norm_activation is ${quote(String(kind))}, which is not read${place.transcoder ? ' for transcoders' : ''}.`,
      {
        fix: 'Known are dataset-wise and inference, and token-wise for SAEs.',
      },
    )
  const norms = objectOf(config.dataset_average_activation_norm)
  const factor = (side: 'in' | 'out', site: string) => {
    const stored = tensors.get(`dataset_average_activation_norm.${site}`)?.data
    const norm = norms[side] ?? norms[site] ?? (stored?.length === 1 ? stored[0] : undefined)
    if (typeof norm !== 'number' || !(norm > 0))
      throw new UserError(
        `${path} does not say the average norm of the ${side === 'in' ? 'input' : 'output'} (dataset_average_activation_norm).`,
      )
    return Math.sqrt(place.width) / norm
  }
  return { input: factor('in', place.input), output: factor('out', place.output), normalisation: 'none' }
}

interface Weights {
  readonly W_enc: Numbers
  readonly b_enc: Numbers
  readonly W_dec: Numbers
  readonly b_dec: Numbers
}

/** The same SAE for plain rows; its latents are those of scaled rows divided by the scale. */
function unscaled({ W_enc, b_enc, W_dec, b_dec }: Weights, { input, output }: Scaling): Weights {
  const times = ({ shape, data }: Numbers, factor: number) => ({ shape, data: data.map(value => value * factor) })
  return { W_enc, b_enc: times(b_enc, 1 / input), W_dec: times(W_dec, input / output), b_dec: times(b_dec, 1 / output) }
}

/** The same SAE with decoder rows of norm 1, against which its latents and thresholds are counted. */
function unitRows({ W_enc, b_enc, W_dec, b_dec }: Weights): Weights {
  const norms = rowNorms(W_dec)
  return {
    W_enc: { shape: W_enc.shape, data: scaleColumns(W_enc, norms) },
    b_enc: { shape: b_enc.shape, data: b_enc.data.map((value, j) => value * norms[j]!) },
    W_dec: {
      shape: W_dec.shape,
      data: scaleRows(
        W_dec,
        norms.map(norm => (norm === 0 ? 0 : 1 / norm)),
      ),
    },
    b_dec,
  }
}

function hook(config: Json, key: string): string {
  const name = config[key]
  return typeof name === 'string' && isSiteName(name) ? name : ''
}

function size(config: Json, key: string, path: string): number {
  const value = config[key]
  if (Number.isInteger(value) && (value as number) > 0) return value as number
  throw new UserError(`${path} does not say ${key}.`)
}
