/** dictionary_learning directories: `ae.pt`, a state dict, and `config.json`, whose `dict_class` says how to read it. */
import { basename, dirname, join } from 'node:path'
import { UserError } from '../../../core/errors.ts'
import { quote } from '../../../core/quote.ts'
import { inBlock, isSiteName } from '../../../core/sites.ts'
import { objectOf, readConfigFile } from '../files/bounded-file.ts'
import { asNumber, checkK, matrix, type Tensors, vector } from '../files/parts.ts'
import { mustKnowKeys } from '../files/said.ts'
import { readStateDict } from '../files/torch.ts'
import { crosscoderKeys, readBatchCrosscoder, readCrosscoder } from './dictionary-learning-crosscoders.ts'
import type { Imported, Layout } from './layout.ts'

type Json = Record<string, unknown>

/** Settings of training that config.json keeps beside what is read. */
const trainingKeys = [
  ...['trainer_class', 'lr', 'steps', 'seed', 'device', 'wandb_name', 'warmup_steps', 'decay_start', 'auxk_alpha'],
  ...['top_k_aux', 'threshold_beta', 'threshold_start_step', 'k_anneal_steps', 'bandwidth', 'target_l0', 'l1_penalty'],
  ...['sparsity_penalty', 'initial_sparsity_penalty', 'sparsity_warmup_steps', 'sparsity_function', 'anneal_start'],
  ...['anneal_end', 'p_start', 'p_end', 'n_sparsity_updates', 'sparsity_queue_length', 'resample_steps'],
  // Biases and threshold are multiplied by the norm factor before they are saved.
  ...['group_fractions', 'group_weights', 'group_sizes', 'norm_factor', 'layer', 'lm_name', 'submodule_name'],
]

/** Known by `ae.pt`. */
export const dictionaryLearning: Layout = {
  name: 'dictionary_learning',
  find: names => names.filter(name => name === 'ae.pt'),
  read: readDictionaryLearning,
}

/** Reads `ae.pt` and the `config.json` beside it, which dictionary_learning's trainers write. */
async function readDictionaryLearning(path: string): Promise<Imported> {
  const configPath = join(dirname(path), 'config.json')
  const config = await readConfigFile(configPath, 'dictionary_learning config')
  if (config.trainer === undefined || config.trainer === null)
    throw new UserError(`${configPath} has no trainer, under which dictionary_learning keeps what kind an SAE is.`, {
      fix: 'Put dict_class, activation_dim and dict_size under "trainer".',
    })
  mustKnowKeys(config, { read: ['trainer', 'buffer'] }, configPath)
  const trainer = objectOf(config.trainer)
  mustKnowKeys(
    trainer,
    {
      read: ['dict_class', 'activation_dim', 'dict_size', 'k', ...crosscoderKeys.read],
      harmless: [...trainingKeys, ...crosscoderKeys.harmless],
    },
    `trainer in ${configPath}`,
  )
  const tensors = await readStateDict(path)
  const kind = String(trainer.dict_class ?? '')
  const read = Object.hasOwn(readers, kind) ? readers[kind] : undefined
  if (!read)
    throw new UserError(`${path} is a ${quote(kind) || 'nameless class'} of dictionary_learning, which is not known.`, {
      fix: `Known are ${Object.keys(readers).join(', ')}, by dict_class in config.json.`,
    })
  const sizes = {
    width: size(trainer, 'activation_dim', path),
    latents: size(trainer, 'dict_size', path),
    k: trainer.k ?? undefined,
    settings: trainer,
  }
  const { k, groups, ...sae } = read(tensors, sizes, path)
  tensors.mustBeTaken(path)
  const buffer = objectOf(config.buffer)
  const { lm_name: model } = trainer
  return {
    ...sae,
    metadata: {
      hook_name: kind.endsWith('CrossCoder') ? '' : siteOf(trainer, buffer.io),
      ...(typeof model === 'string' && model !== '' ? { model_name: model } : {}),
      ...(Number.isInteger(buffer.ctx_len) ? { context_size: buffer.ctx_len as number } : {}),
      imported_from: {
        format: 'dictionary_learning',
        dict_class: kind,
        ...(k === undefined ? {} : { k }),
        ...(groups ? { group_sizes: groups } : {}),
      },
    },
  }
}

/**
 * The site by the name that trainers give a submodule; where they give none the layer's output, which is what they mostly
 * train on. A module's input, or input and output, is left for the user to say.
 */
function siteOf({ submodule_name: name, layer }: Json, io: unknown): string {
  const named = typeof name === 'string' ? name : ''
  if (isSiteName(named)) return named
  if (io !== undefined && io !== null && io !== 'out') return ''
  const number = named === '' ? layer : /^resid_post_layer_(\d+)$/.exec(named)?.[1]
  return Number.isInteger(Number(number ?? Number.NaN)) ? inBlock(Number(number), 'hook_resid_post') : ''
}

/** k by the file's buffer, or by config.json where the file is older than that buffer; where both are there they agree. */
function wholeK(tensors: Tensors, { latents, k: said }: Sizes, path: string): number {
  const kept = tensors.get('k')
  if (!kept) return checkK(said, latents, path)
  const k = checkK(kept.data.length === 1 ? kept.data[0] : undefined, latents, path)
  if (said !== undefined && asNumber(said) !== k)
    throw new UserError(`${path} has k ${k}, but the config.json beside it says ${quote(String(said))}.`)
  return k
}

function size(trainer: Json, key: string, path: string): number {
  const value = trainer[key]
  if (Number.isInteger(value) && (value as number) > 0) return value as number
  throw new UserError(`The config.json beside ${path} does not say ${key}.`)
}

type Sizes = { width: number; latents: number; k: unknown; settings: Json }
/** What a class's reader gives: the SAE, and what only this library's own files need to be written again. */
type Read = (
  tensors: Tensors,
  sizes: Sizes,
  path: string,
) => Omit<Imported, 'metadata'> & { k?: number; groups?: number[] }

/** Weights of the classes made of `nn.Linear`s, which keep [latents, width] and [width, latents]. */
function linear(tensors: Tensors, { width, latents }: Sizes, path: string) {
  return {
    W_enc: matrix(tensors, 'encoder.weight', [width, latents], true, path),
    W_dec: matrix(tensors, 'decoder.weight', [latents, width], true, path),
  }
}

/** Weights of the classes made of parameters, which keep them as they are used. */
function direct(tensors: Tensors, { width, latents }: Sizes, path: string) {
  return {
    W_enc: matrix(tensors, 'W_enc', [width, latents], false, path),
    W_dec: matrix(tensors, 'W_dec', [latents, width], false, path),
    b_enc: vector(tensors, 'b_enc', latents, path),
    b_dec: vector(tensors, 'b_dec', width, path),
  }
}

const onInput = { apply_b_dec_to_input: true, normalize_activations: 'none' }
const notOnInput = { ...onInput, apply_b_dec_to_input: false }

/**
 * An SAE trained with batch top-k: at inference a JumpReLU whose latents share a threshold. Where none was estimated (it is
 * −1) the library lets every positive latent pass, and where the file is older than thresholds, k are kept a batch.
 */
function batch(tensors: Tensors, sizes: Sizes, path: string, params: Imported['params']): ReturnType<Read> {
  const k = wholeK(tensors, sizes, path)
  if (!tensors.has('threshold'))
    return {
      architecture: 'topk',
      config: { ...onInput, k },
      params,
      k,
      notices: [
        `${basename(path)} has no threshold, which newer files have; its latents are the ${k} largest of each row.`,
      ],
    }
  const threshold = vector(tensors, 'threshold', 1, path).data[0]!
  return {
    architecture: 'jumprelu',
    config: onInput,
    params: {
      ...params,
      threshold: { shape: [sizes.latents], data: new Float32Array(sizes.latents).fill(threshold) },
    },
    k,
    ...(threshold < 0
      ? {
          notices: [
            `The threshold in ${basename(path)} is ${threshold}: it was never estimated, so that every positive latent counts, as in dictionary_learning itself. Training set k to ${k}.`,
          ],
        }
      : {}),
  }
}

const readers: Record<string, Read> = {
  AutoEncoder: (tensors, sizes, path) => ({
    architecture: 'standard',
    config: onInput,
    params: {
      ...linear(tensors, sizes, path),
      b_enc: vector(tensors, 'encoder.bias', sizes.latents, path),
      b_dec: vector(tensors, 'bias', sizes.width, path),
    },
  }),
  AutoEncoderNew: (tensors, sizes, path) => ({
    architecture: 'standard',
    config: notOnInput,
    params: {
      ...linear(tensors, sizes, path),
      b_enc: vector(tensors, 'encoder.bias', sizes.latents, path),
      b_dec: vector(tensors, 'decoder.bias', sizes.width, path),
    },
  }),
  GatedAutoEncoder: (tensors, sizes, path) => ({
    architecture: 'gated',
    config: onInput,
    params: {
      ...linear(tensors, sizes, path),
      b_gate: vector(tensors, 'gate_bias', sizes.latents, path),
      r_mag: vector(tensors, 'r_mag', sizes.latents, path),
      b_mag: vector(tensors, 'mag_bias', sizes.latents, path),
      b_dec: vector(tensors, 'decoder_bias', sizes.width, path),
    },
  }),
  JumpReluAutoEncoder: (tensors, sizes, path) => ({
    architecture: 'jumprelu',
    config: notOnInput,
    params: { ...direct(tensors, sizes, path), threshold: vector(tensors, 'threshold', sizes.latents, path) },
  }),
  AutoEncoderTopK: (tensors, sizes, path) => {
    const k = wholeK(tensors, sizes, path)
    // The threshold is for use_threshold=True alone; without it, as by default, k latents are kept.
    tensors.get('threshold')
    return {
      architecture: 'topk',
      config: { ...onInput, k },
      params: {
        ...linear(tensors, sizes, path),
        b_enc: vector(tensors, 'encoder.bias', sizes.latents, path),
        b_dec: vector(tensors, 'b_dec', sizes.width, path),
      },
      k,
    }
  },
  BatchTopKSAE: (tensors, sizes, path) =>
    batch(tensors, sizes, path, {
      ...linear(tensors, sizes, path),
      b_enc: vector(tensors, 'encoder.bias', sizes.latents, path),
      b_dec: vector(tensors, 'b_dec', sizes.width, path),
    }),
  MatryoshkaBatchTopKSAE: (tensors, sizes, path) => {
    const groups = tensors.get('group_sizes')
    return {
      ...batch(tensors, sizes, path, direct(tensors, sizes, path)),
      ...(groups ? { groups: [...groups.data] } : {}),
    }
  },
  CrossCoder: (tensors, _, path) => readCrosscoder(tensors, path),
  BatchTopKCrossCoder: (tensors, { settings }, path) => readBatchCrosscoder(tensors, settings, path),
}
