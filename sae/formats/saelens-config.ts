/**
 * SAELens's `cfg.json`. Version 6 names the architecture and keeps what belongs to the model under `metadata`; what is
 * older is flat, with `hook_point` and `activation_fn_str`, and is read as SAELens itself converts it. Our own fields are
 * under `metadata`.
 */
import { UserError } from '../../core/errors.ts'
import { quote } from '../../core/quote.ts'
import { activationOf } from '../inference.ts'
import type { SaeMetadata } from '../sae.ts'
import { objectOf } from './bounded-file.ts'

type Json = Record<string, unknown>

export interface SaelensConfig {
  readonly architecture: string
  readonly config: Readonly<Json>
  readonly metadata: SaeMetadata
  /** A checkpoint of training that is still to be made ready for inference. */
  readonly trained: boolean
}

/** The version whose layout is written; SAELens takes a file that names none for one from before version 6. */
const layoutVersion = '6.0.0'

const normalisations = ['none', 'expected_average_only_in', 'layer_norm', 'constant_norm_rescale']

/** The content of cfg.json of an SAE. */
export function saelensConfig(sae: {
  readonly architecture: string
  readonly width: number
  readonly latents: number
  readonly outputs: number
  readonly config: Readonly<Json>
  readonly metadata: SaeMetadata
}): Json {
  const { architecture, width, latents, outputs } = sae
  return {
    architecture,
    d_in: width,
    d_sae: latents,
    ...(outputs !== width || architecture.includes('transcoder') ? { d_out: outputs } : {}),
    dtype: 'float32',
    device: 'cpu',
    reshape_activations: 'none',
    ...without(sae.config, ['architecture', 'd_in', 'd_sae', 'd_out', 'dtype', 'device']),
    metadata: { sae_lens_version: layoutVersion, ...sae.metadata },
  }
}

/** A cfg.json of any version. */
export function readConfig(raw: Json): SaelensConfig {
  const old = !('metadata' in raw)
  const { metadata: described, architecture: named, ...flat } = raw
  if (!old && (described === null || typeof described !== 'object' || Array.isArray(described)))
    throw new UserError('metadata in cfg.json must be an object.')
  const metadata = objectOf(described)
  const config: Json = { apply_b_dec_to_input: true, ...flat }
  const activation = flat.activation_fn_str ?? flat.activation_fn
  const kwargs = objectOf(flat.activation_fn_kwargs)
  const trained = named === 'batchtopk' || named === 'matryoshka_batchtopk'
  let architecture = trained ? 'jumprelu' : String(named ?? 'standard')
  if (old && architecture === 'standard' && activation === 'topk') architecture = 'topk'
  if (old && architecture === 'topk') config.k ??= kwargs.k
  if (activation !== undefined && !['relu', 'topk'].includes(String(activation)))
    throw new UserError(`The activation function ${quote(String(activation))} is not known.`, {
      fix: 'Known are relu and topk.',
    })
  if (flat.reshape_activations !== undefined && !['none', 'hook_z'].includes(String(flat.reshape_activations)))
    throw new UserError(`reshape_activations ${quote(String(flat.reshape_activations))} is not known.`)
  if (activationOf(architecture) === 'topk' && !(Number.isInteger(config.k) && (config.k as number) > 0))
    throw new UserError(
      `A ${architecture} SAE needs k in cfg.json, a whole number of at least 1; it is ${quote(String(config.k))}.`,
    )
  // As a boolean it said whether rows were scaled to a mean norm, and that the scale is in the weights.
  if (flat.normalize_activations === true) config.normalize_activations = 'expected_average_only_in'
  if (flat.normalize_activations === false || flat.normalize_activations === null) config.normalize_activations = 'none'
  const normalised = config.normalize_activations ?? 'none'
  if (!normalisations.includes(String(normalised)))
    throw new UserError(`The activation normalisation ${quote(String(normalised))} is not known.`, {
      fix: `Known are ${normalisations.join(', ')}.`,
    })
  const from = old ? flat : metadata
  const hook = from.hook_name ?? flat.hook_point ?? flat.hook_name
  return {
    architecture,
    config,
    trained: trained || named === 'jumprelu',
    metadata: {
      ...(old ? oldMetadata(flat) : metadata),
      hook_name: hook === undefined ? '' : String(hook),
    },
  }
}

/** What a flat cfg.json says of the model, under the names that version 6 gives it. */
function oldMetadata(flat: Json): Json {
  const kept = ['model_name', 'context_size', 'prepend_bos', 'dataset_path', 'hook_head_index', 'hook_name_out']
  return {
    ...Object.fromEntries(kept.filter(key => flat[key] !== undefined).map(key => [key, flat[key]])),
    prepend_bos: flat.prepend_bos ?? true,
    ...(flat.hook_point_head_index === undefined ? {} : { hook_head_index: flat.hook_point_head_index }),
  }
}

function without(record: Readonly<Json>, keys: readonly string[]): Json {
  return Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)))
}
