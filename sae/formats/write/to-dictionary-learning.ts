/** Writes dictionary_learning directories: `ae.pt`, a state dict, and `config.json`, whose `dict_class` says how to read it. */
import { join } from 'node:path'
import { writeAtomic, writeJson } from '../../../core/files.ts'
import { blockOf } from '../../../core/sites.ts'
import { type Numbers, transposed } from '../../../engine/torch/numbers.ts'
import { type StateTensor, stateDictPieces } from '../../../engine/torch/writer.ts'
import { levelsOf } from '../../architectures/matryoshka.ts'
import { mustHold, type Portable, withInputBias, withoutRescaling } from './portable.ts'

interface Written {
  readonly dictClass: string
  readonly k?: number
  readonly tensors: Record<string, StateTensor>
}

/** SAEs only: the library has no transcoders. */
export async function writeDictionaryLearning(directory: string, sae: Portable): Promise<void> {
  mustHold(sae, 'dictionary_learning', ['standard', 'gated', 'topk', 'jumprelu'])
  const { dictClass, k, tensors } = forms[sae.architecture as keyof typeof forms](sae)
  const { hook_name, model_name, context_size } = sae.metadata
  const block = blockOf(hook_name)
  await writeAtomic(join(directory, 'ae.pt'), stateDictPieces(tensors))
  await writeJson(join(directory, 'config.json'), {
    trainer: {
      dict_class: dictClass,
      trainer_class: null,
      activation_dim: sae.width,
      dict_size: sae.latents,
      ...(k === undefined ? {} : { k }),
      layer: block?.layer ?? null,
      lm_name: model_name ?? '',
      submodule_name: block?.site === 'hook_resid_post' ? `resid_post_layer_${block.layer}` : hook_name,
    },
    buffer: { d_submodule: sae.width, io: 'out', ctx_len: context_size ?? null },
  })
}

const forms = {
  standard(sae: Portable): Written {
    const { b_enc, b_dec } = sae.params as Record<string, Numbers>
    const onInput = Boolean(sae.config.apply_b_dec_to_input)
    return {
      dictClass: onInput ? 'AutoEncoder' : 'AutoEncoderNew',
      tensors: { [onInput ? 'bias' : 'decoder.bias']: b_dec!, ...linear(sae), 'encoder.bias': b_enc! },
    }
  },

  gated(given: Portable): Written {
    const sae = withInputBias(given, true)
    const { r_mag, b_gate, b_mag, b_dec } = sae.params as Record<string, Numbers>
    return {
      dictClass: 'GatedAutoEncoder',
      tensors: { decoder_bias: b_dec!, r_mag: r_mag!, gate_bias: b_gate!, mag_bias: b_mag!, ...linear(sae) },
    }
  },

  topk(given: Portable): Written {
    const sae = withInputBias(withoutRescaling(given), true)
    const { b_enc, b_dec } = sae.params as Record<string, Numbers>
    const k = sae.config.k as number
    return {
      dictClass: 'AutoEncoderTopK',
      k,
      // −1 is the library's sign that no threshold was estimated.
      tensors: { b_dec: b_dec!, ...counts(k, -1), ...linear(sae), 'encoder.bias': b_enc! },
    }
  },

  /** One threshold for all latents and a known k make a BatchTopK of it, which keeps both. */
  jumprelu(given: Portable): Written {
    const batch = batchOf(given)
    if (!batch) {
      const { W_enc, b_enc, W_dec, b_dec, threshold } = withInputBias(given, false).params as Record<string, Numbers>
      return {
        dictClass: 'JumpReluAutoEncoder',
        tensors: { W_enc: W_enc!, b_enc: b_enc!, W_dec: W_dec!, b_dec: b_dec!, threshold: threshold! },
      }
    }
    const sae = withInputBias(given, true)
    const { W_enc, b_enc, W_dec, b_dec } = sae.params as Record<string, Numbers>
    const { k, threshold, groups } = batch
    if (!groups)
      return {
        dictClass: 'BatchTopKSAE',
        k,
        tensors: { b_dec: b_dec!, ...counts(k, threshold), ...linear(sae), 'encoder.bias': b_enc! },
      }
    return {
      dictClass: 'MatryoshkaBatchTopKSAE',
      k,
      tensors: {
        W_enc: W_enc!,
        b_enc: b_enc!,
        W_dec: W_dec!,
        b_dec: b_dec!,
        ...counts(k, threshold),
        group_sizes: { shape: [groups.length], data: BigInt64Array.from(groups, BigInt) },
      },
    }
  },
}

/** `nn.Linear`s, which keep [latents, width] and [width, latents]. */
function linear({ params }: Portable): Record<string, StateTensor> {
  return { 'encoder.weight': transposed(params.W_enc!), 'decoder.weight': transposed(params.W_dec!) }
}

function counts(k: number, threshold: number): Record<string, StateTensor> {
  return {
    k: { shape: [], data: Int32Array.of(k) },
    threshold: { shape: [], data: Float32Array.of(threshold) },
  }
}

/** Thresholds that differ by no more than rounding are one: folding decoder norms of 1 multiplies by almost 1. */
const almostOne = 1e-6

/** What a BatchTopK or Matryoshka SAE was, from what it remembers of its training or of the file it came from. */
function batchOf({
  params,
  metadata,
  latents,
}: Portable): { k: number; threshold: number; groups?: number[] } | undefined {
  const thresholds = params.threshold!.data
  const threshold = thresholds[0]!
  if (!thresholds.every(value => Math.abs(value - threshold) <= almostOne * Math.abs(threshold))) return undefined
  const { architecture, settings } = (metadata.pipeline ?? {}) as {
    architecture?: string
    settings?: { k?: number; widths?: number[] }
  }
  const origin = (metadata.imported_from ?? {}) as { k?: number; group_sizes?: number[] }
  const k = architecture === 'batchtopk' || architecture === 'matryoshka' ? settings?.k : origin.k
  if (!Number.isInteger(k)) return undefined
  const levels = architecture === 'matryoshka' ? levelsOf(settings?.widths, latents) : undefined
  const groups = levels ? levels.map((level, i) => level - (levels[i - 1] ?? 0)) : origin.group_sizes
  return { k: k!, threshold, ...(groups ? { groups } : {}) }
}
