/**
 * The crosscoder classes of dictionary_learning's forks. Encoders are [sites, width, latents], decoders [sites, latents, width]:
 *
 *   f = relu(Σ_s x_s W_enc,s + b_enc)     CrossCoder
 *   f · 1[f n > threshold]                BatchTopKCrossCoder, n by its code normalisation: a sum over sites of decoder norms,
 *                                         their norm over all sites, a mixture of both, or 1
 */

import { basename } from 'node:path'
import { UserError } from '../../../core/errors.ts'
import { asNumber, checkK, required, type Tensors, vector } from '../files/parts.ts'
import type { Imported } from './layout.ts'
import { cube, siteNorms, wideDecoder, wideEncoder } from './sites.ts'

type Read = Omit<Imported, 'metadata'> & { k?: number }
type Settings = Readonly<Record<string, unknown>>

/** Keys of `trainer` that are read, and keys that only say how weights were made. */
export const crosscoderKeys = {
  read: [
    ...['num_layers', 'num_encoder_layers', 'code_normalization', 'code_normalization_alpha_sae'],
    ...['code_normalization_alpha_cc', 'num_decoder_layers', 'num_decoder_output_layers'],
  ],
  harmless: ['same_init_for_all_layers', 'norm_init_scale', 'init_with_transpose', 'compile', 'decoder_type'],
}

/** ReLU over all sites. */
export function readCrosscoder(tensors: Tensors, path: string): Read {
  const { decoder, params, sites } = weights(tensors, path)
  tensors.get('code_normalization_id')
  return { architecture: 'crosscoder', config: config(sites), params: { ...params, W_dec: wideDecoder(decoder) } }
}

/** The same behind a threshold on latents times their code normalisation. */
export function readBatchCrosscoder(tensors: Tensors, settings: Settings, path: string): Read {
  const { decoder, params, sites } = weights(tensors, path)
  const latents = decoder.shape[1]!
  const k = checkK(tensors.get('k')?.data[0] ?? settings.k, latents, path)
  const found = required(tensors, 'threshold', path)
  if (found.data.length !== 1)
    throw new UserError(`${path} has thresholds for each site (decoupled code), which is not read.`)
  const threshold = found.data[0]!
  const norms = codeNorms(siteNorms(decoder), kindOf(tensors, settings, path), settings)
  const thresholds = Float32Array.from(norms, norm => Math.max(0, threshold) / norm)
  return {
    architecture: 'jumprelu_crosscoder',
    config: config(sites),
    params: { ...params, W_dec: wideDecoder(decoder), threshold: { shape: [latents], data: thresholds } },
    k,
    ...(threshold < 0
      ? {
          notices: [
            `The threshold in ${basename(path)} is ${threshold}: it was never estimated, so that every positive latent counts. Training set k to ${k}.`,
          ],
        }
      : {}),
  }
}

const config = (sites: number) => ({ apply_b_dec_to_input: false, normalize_activations: 'none', sites })

function weights(tensors: Tensors, path: string) {
  const encoder = cube(tensors, 'encoder.weight', path)
  const decoder = cube(tensors, 'decoder.weight', path)
  const [sites, width, latents] = encoder.shape as [number, number, number]
  const expected = [sites, latents, width]
  if (decoder.shape.some((side, i) => side !== expected[i]))
    throw new UserError(
      `decoder.weight in ${path} has shape [${decoder.shape}]; it must be [${expected}], as many sites as it reads.`,
    )
  const bias = required(tensors, 'decoder.bias', path)
  return {
    decoder,
    sites,
    params: {
      W_enc: wideEncoder(encoder),
      b_enc: vector(tensors, 'encoder.bias', latents, path),
      b_dec: vector(
        new Map([['decoder.bias', { shape: [bias.data.length], data: bias.data }]]),
        'decoder.bias',
        sites * width,
        path,
      ),
    },
  }
}

/** In the library's order, from 1 on. */
const kinds = ['CROSSCODER', 'SAE', 'MIXED', 'NONE', 'DECOUPLED']

/** The code normalisation, by the file's own number or by config.json; sums over sites where neither says it. */
function kindOf(tensors: Tensors, settings: Settings, path: string): string {
  const id = tensors.get('code_normalization_id')?.data[0]
  const said = settings.code_normalization
  const kind =
    id === undefined
      ? String(said ?? 'CROSSCODER')
          .replace(/^.*\./, '')
          .toUpperCase()
      : kinds[id - 1]
  if (kind === undefined || !kinds.includes(kind) || kind === 'DECOUPLED')
    throw new UserError(`The code normalisation ${String(said ?? id)} of ${path} is not read.`, {
      fix: 'Known are CROSSCODER, SAE, MIXED and NONE.',
    })
  return kind
}

/** What each latent is multiplied by before it is held to the threshold. */
function codeNorms(sites: readonly Float64Array[], kind: string, settings: Settings): Float64Array {
  const weight = (key: string, otherwise: number) => {
    const value = asNumber(settings[key] ?? otherwise)
    return typeof value === 'number' ? value : otherwise
  }
  return sites[0]!.map((_, i) => {
    const sum = sites.reduce((total, norms) => total + norms[i]!, 0)
    const whole = Math.sqrt(sites.reduce((total, norms) => total + norms[i]! ** 2, 0))
    if (kind === 'CROSSCODER') return sum
    if (kind === 'SAE') return whole
    if (kind === 'NONE') return 1
    return whole * weight('code_normalization_alpha_sae', 1) + sum * weight('code_normalization_alpha_cc', 0.1)
  })
}
