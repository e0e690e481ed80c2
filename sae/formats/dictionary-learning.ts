/** dictionary_learning directories: `ae.pt`, a state dict, and `config.json`, whose `dict_class` says how to read it. */
import { join } from 'node:path'
import { UserError } from '../../core/errors.ts'
import { quote } from '../../core/quote.ts'
import { inBlock, isSiteName } from '../../core/sites.ts'
import { objectOf, readConfigFile } from './bounded-file.ts'
import type { Numbers } from './numbers.ts'
import { checkK, type Imported, matrix, required, vector } from './parts.ts'
import { readStateDict } from './torch.ts'

type Json = Record<string, unknown>

/** Reads a directory that dictionary_learning's trainers wrote. */
export async function readDictionaryLearning(directory: string): Promise<Imported> {
  const config = await readConfigFile(join(directory, 'config.json'), 'dictionary_learning config')
  const trainer = objectOf(config.trainer)
  const path = join(directory, 'ae.pt')
  const tensors = await readStateDict(path)
  const kind = String(trainer.dict_class ?? '')
  const sizes = { width: size(trainer, 'activation_dim', path), latents: size(trainer, 'dict_size', path) }
  const read = Object.hasOwn(readers, kind) ? readers[kind] : undefined
  if (!read)
    throw new UserError(
      `${directory} is a ${quote(kind) || 'nameless class'} of dictionary_learning, which is not known.`,
      {
        fix: `Known are ${Object.keys(readers).join(', ')}.`,
      },
    )
  const groups = tensors.get('group_sizes')
  const { lm_name: model } = trainer
  const context = objectOf(config.buffer).ctx_len
  return {
    ...read(tensors, sizes, path),
    metadata: {
      hook_name: siteOf(trainer),
      ...(typeof model === 'string' && model !== '' ? { model_name: model } : {}),
      ...(Number.isInteger(context) ? { context_size: context as number } : {}),
      imported_from: {
        format: 'dictionary_learning',
        dict_class: kind,
        ...(tensors.has('k') ? { k: wholeK(tensors, sizes, path) } : {}),
        ...(groups ? { group_sizes: [...groups.data] } : {}),
      },
    },
  }
}

/** The site by the name that trainers give a submodule, else the layer's output, which is what they mostly train on. */
function siteOf({ submodule_name: name, layer }: Json): string {
  const named = typeof name === 'string' ? name : ''
  if (isSiteName(named)) return named
  const number = /resid_post_layer_(\d+)/.exec(named)?.[1] ?? layer
  return Number.isInteger(Number(number ?? Number.NaN)) ? inBlock(Number(number), 'hook_resid_post') : ''
}

/** The buffer `k`, which must be one whole number that the dictionary can give. */
function wholeK(tensors: Tensors, { latents }: Sizes, path: string): number {
  const { data } = required(tensors, 'k', path)
  return checkK(data.length === 1 ? data[0] : undefined, latents, path)
}

function size(trainer: Json, key: string, path: string): number {
  const value = trainer[key]
  if (Number.isInteger(value) && (value as number) > 0) return value as number
  throw new UserError(`The config.json beside ${path} does not say ${key}.`)
}

type Tensors = Map<string, Numbers>
type Sizes = { width: number; latents: number }
type Read = (tensors: Tensors, sizes: Sizes, path: string) => Omit<Imported, 'metadata'>

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

const filled = (tensors: Tensors, latents: number, path: string): Numbers => ({
  shape: [latents],
  data: new Float32Array(latents).fill(vector(tensors, 'threshold', 1, path).data[0]!),
})

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
  AutoEncoderTopK: (tensors, sizes, path) => ({
    architecture: 'topk',
    config: { ...onInput, k: wholeK(tensors, sizes, path) },
    params: {
      ...linear(tensors, sizes, path),
      b_enc: vector(tensors, 'encoder.bias', sizes.latents, path),
      b_dec: vector(tensors, 'b_dec', sizes.width, path),
    },
  }),
  BatchTopKSAE: (tensors, sizes, path) => ({
    architecture: 'jumprelu',
    config: onInput,
    params: {
      ...linear(tensors, sizes, path),
      b_enc: vector(tensors, 'encoder.bias', sizes.latents, path),
      b_dec: vector(tensors, 'b_dec', sizes.width, path),
      threshold: filled(tensors, sizes.latents, path),
    },
  }),
  MatryoshkaBatchTopKSAE: (tensors, sizes, path) => ({
    architecture: 'jumprelu',
    config: onInput,
    params: { ...direct(tensors, sizes, path), threshold: filled(tensors, sizes.latents, path) },
  }),
}
