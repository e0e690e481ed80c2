/**
 * The scale of a checkpoint's rows. While SAELens trains with `expected_average_only_in`, its SAE reads rows times a factor
 * that lies beside it in `activation_scaler.json`, and what it gives is divided by that factor. The finished SAE has the
 * factor in its weights, and nothing beside it.
 */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../../../core/errors.ts'
import { quote } from '../../../core/quote.ts'
import { type Numbers, rowNorms, scaleColumns, scaleRows } from '../../../engine/torch/numbers.ts'
import { activationOf, choosesK, normalisesRows, type SaeConfig } from '../../inference.ts'
import { readConfigFile } from '../files/bounded-file.ts'
import { required } from '../files/parts.ts'
import { mustKnowKeys } from '../files/said.ts'

/** The factor beside an SAE, or undefined where there is none. */
export async function readScale(directory: string): Promise<number | undefined> {
  const has = (name: string) =>
    access(join(directory, name)).then(
      () => true,
      () => false,
    )
  if (await has('activation_whitening.safetensors'))
    throw new UserError(
      `${directory} is a checkpoint of a training on whitened rows (activation_whitening.safetensors), which is not read.`,
      { fix: 'Let SAELens finish the training, or fold the whitening with its fold_activation_whitening.' },
    )
  const path = join(directory, 'activation_scaler.json')
  if (!(await has('activation_scaler.json'))) return undefined
  const config = await readConfigFile(path, 'activation scaler')
  mustKnowKeys(config, { read: ['scaling_factor'] }, path)
  const { scaling_factor: factor = null } = config
  if (factor === null) return undefined
  if (typeof factor === 'number' && factor > 0) return factor
  throw new UserError(`scaling_factor in ${path} must be a number above 0; it is ${quote(String(factor))}.`)
}

/**
 * The same SAE for rows as they are: its latents are those that it has of scaled rows, and its reconstruction is divided by
 * the scale. Decoder norms by which latents are chosen go into the encoder first, since dividing the decoder changes them.
 */
export function scaledInput(
  {
    architecture,
    config,
    params,
  }: { architecture: string; config: SaeConfig; params: Readonly<Record<string, Numbers>> },
  scale: number,
  path: string,
): { params: Record<string, Numbers>; config: Record<string, unknown> } {
  if (normalisesRows(config))
    throw new UserError(`${path} has an activation_scaler.json beside it, but its rows are normalised one by one.`, {
      fix: 'Take the file away where it is of another training.',
    })
  if (activationOf(architecture) === 'pursuit')
    throw new UserError(`${path} is a matching pursuit with an activation_scaler.json beside it, which is not read.`, {
      fix: 'Let SAELens finish the training: it folds the scale into the weights and the threshold of the residual.',
    })
  const tensors = new Map(Object.entries(params))
  let [W_enc, W_dec] = [required(tensors, 'W_enc', path), required(tensors, 'W_dec', path)]
  const changed: Record<string, Numbers> = {}
  const ranked = choosesK(architecture) && config.rescale_acts_by_decoder_norm === true
  if (ranked) {
    const norms = rowNorms(W_dec)
    const b_enc = required(tensors, 'b_enc', path)
    W_enc = { shape: W_enc.shape, data: scaleColumns(W_enc, norms) }
    changed.b_enc = { shape: b_enc.shape, data: b_enc.data.map((value, j) => value * norms[j]!) }
    const inverse = norms.map(norm => (norm === 0 ? 0 : 1 / norm))
    W_dec = { shape: W_dec.shape, data: scaleRows(W_dec, inverse) }
  }
  const times = ({ shape, data }: Numbers, factor: number): Numbers => ({ shape, data: data.map(v => v * factor) })
  return {
    params: {
      ...params,
      ...changed,
      W_enc: times(W_enc, scale),
      W_dec: times(W_dec, 1 / scale),
      b_dec: times(required(tensors, 'b_dec', path), 1 / scale),
    },
    config: { normalize_activations: 'none', ...(ranked ? { rescale_acts_by_decoder_norm: false } : {}) },
  }
}
