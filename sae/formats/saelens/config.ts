/**
 * SAELens's `cfg.json`. Version 6 names the architecture and keeps what belongs to the model under `metadata`; what is
 * older is flat, with `hook_point` and `activation_fn_str`, and is read as SAELens itself converts it. Our own fields are
 * under `metadata`.
 */
import { UserError } from '../../../core/errors.ts'
import { quote } from '../../../core/quote.ts'
import { activationOf, choosesK } from '../../inference.ts'
import type { SaeMetadata } from '../../sae.ts'
import { objectOf } from '../files/bounded-file.ts'
import { asNumber } from '../files/parts.ts'
import { mustKnowKeys } from '../files/said.ts'
import { harmlessKeys, readKeys } from './keys.ts'
import { readSingle, singleKeys } from './single.ts'

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

/** A cfg.json of any version. `path` is the file, for messages. */
export function readConfig(raw: Json, path: string): SaelensConfig {
  const flatOnly = !('metadata' in raw)
  const { metadata: described, architecture: named, ...flat } = raw
  if (!flatOnly && (described === null || typeof described !== 'object' || Array.isArray(described)))
    throw new UserError(`metadata in ${path} must be an object.`)
  const metadata = objectOf(described)
  const config: Json = { apply_b_dec_to_input: true, ...flat }
  const trained = named === 'batchtopk' || named === 'matryoshka_batchtopk'
  const architecture = architectureOf(trained ? 'jumprelu' : String(named ?? 'standard'), flat, flatOnly, path)
  activationOf(architecture)
  mustKnowKeys(raw, { read: [...readKeys, ...singleKeys(architecture)], harmless: harmlessKeys }, path)
  Object.assign(config, readSingle(architecture, flat, path))
  if (flatOnly && architecture === 'topk') config.k ??= objectOf(flat.activation_fn_kwargs).k
  config.k = asNumber(config.k)
  if (flat.reshape_activations !== undefined && !['none', 'hook_z'].includes(String(flat.reshape_activations)))
    throw new UserError(`reshape_activations ${quote(String(flat.reshape_activations))} is not known.`)
  for (const key of ['apply_b_dec_to_input', 'rescale_acts_by_decoder_norm'])
    if (config[key] !== undefined && typeof config[key] !== 'boolean')
      throw new UserError(`${key} in ${path} must be true or false; it is ${quote(String(config[key]))}.`)
  if (choosesK(architecture) && !(Number.isInteger(config.k) && (config.k as number) > 0))
    throw new UserError(
      `A ${architecture} SAE needs k in cfg.json, a whole number of at least 1; it is ${quote(String(config.k))}.`,
    )
  config.normalize_activations = normalisationOf(flat.normalize_activations, architecture)
  const hook = flatOnly ? (flat.hook_name ?? flat.hook_point) : (metadata.hook_name ?? metadata.hook_point)
  return {
    architecture,
    config,
    trained: trained || named === 'jumprelu',
    metadata: {
      ...(flatOnly ? oldMetadata(flat) : metadata),
      hook_name: String(hook ?? flat.hook_point ?? flat.hook_name ?? ''),
    },
  }
}

/** The architecture a file means: before version 6 a TopK was a standard SAE whose activation function is topk. */
function architectureOf(named: string, flat: Json, old: boolean, path: string): string {
  const activation = flat.activation_fn_str ?? flat.activation_fn ?? undefined
  if (activation !== undefined && !['relu', 'topk'].includes(String(activation)))
    throw new UserError(`The activation function ${quote(String(activation))} is not known.`, {
      fix: 'Known are relu and topk.',
    })
  if (activation !== 'topk') return named
  mustKnowKeys(
    objectOf(flat.activation_fn_kwargs),
    { read: ['k'], only: { signed: [false] } },
    `activation_fn_kwargs of ${path}`,
  )
  if (old && named === 'standard') return 'topk'
  if (named === 'topk') return named
  throw new UserError(`${path} says that a ${quote(named)} SAE has the activation function topk.`, {
    fix: 'Where it is a TopK, set architecture to topk and k beside it.',
  })
}

/** As a boolean it said whether rows were scaled to a mean norm, and that the scale is in the weights. */
function normalisationOf(said: unknown, architecture: string): string {
  const normalised = said === true ? 'expected_average_only_in' : said || 'none'
  const scaled = architecture === 'temporal' && normalised === 'constant_scalar_rescale'
  if (!scaled && !normalisations.includes(String(normalised)))
    throw new UserError(`The activation normalisation ${quote(String(normalised))} is not known.`, {
      fix: `Known are ${normalisations.join(', ')}.`,
    })
  return String(normalised)
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
