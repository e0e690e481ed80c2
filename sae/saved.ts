/** From trained weights to the form that is kept: SAELens names, decoder norms folded where that changes nothing. */
import { type Tensor, type Tensor1D, type Tensor2D, tf } from '../engine/tf.ts'
import type { Saved } from './architecture.ts'
import { decoderNorms, type LinearParams } from './layers/linear.ts'

/** Saves the linear parts under SAELens's names, with `extra` cfg.json keys and tensors. */
export function saveLinear(
  architecture: string,
  params: LinearParams,
  config: { decoderBiasOnInput: boolean; rescaleByDecoderNorm?: boolean },
  extra: Record<string, unknown> = {},
  tensors: Saved['params'] = {},
): Saved {
  const saved: Saved = {
    architecture,
    config: { apply_b_dec_to_input: config.decoderBiasOnInput, normalize_activations: 'none', ...extra },
    params: {
      W_enc: params.wEnc.clone(),
      b_enc: params.bEnc.clone(),
      W_dec: params.wDec.clone(),
      b_dec: params.bDec.clone(),
      ...tensors,
    },
  }
  // Latents chosen by value times decoder norm are, once the norms are folded, chosen by their value alone.
  return config.rescaleByDecoderNorm ? replace(saved, foldEncoder(params)) : saved
}

function foldEncoder({ wEnc, bEnc, wDec }: LinearParams): { W_enc: Tensor2D; b_enc: Tensor1D; W_dec: Tensor2D } {
  return tf.tidy(() => {
    const norms = decoderNorms(wDec)
    return {
      W_enc: wEnc.mul<Tensor2D>(norms),
      b_enc: bEnc.mul<Tensor1D>(norms),
      W_dec: tf.divNoNan(wDec, norms.reshape([-1, 1])) as Tensor2D,
    }
  })
}

/**
 * The same SAE with decoder rows of norm 1: what a row's norm was goes into the encoder, so that reconstructions stay and
 * latents are multiplied by it. Takes ownership of `saved` and disposes what it replaces.
 *
 * TopK without `rescaleByDecoderNorm` must not be folded: it would choose other latents.
 */
export function foldDecoderNorms(saved: Saved): Saved {
  const params = tf.tidy(() => {
    const wDec = saved.params.W_dec as Tensor2D
    const norms = decoderNorms(wDec)
    const folded: Saved['params'] = {
      W_dec: tf.divNoNan(wDec, norms.reshape([-1, 1])),
      W_enc: saved.params.W_enc!.mul(norms),
    }
    for (const name of ['b_enc', 'threshold', 'b_gate', 'b_mag'])
      if (saved.params[name]) folded[name] = saved.params[name].mul(norms)
    return folded
  })
  return replace(saved, params)
}

/**
 * The same SAE for rows that are not scaled: `input` multiplied the rows it read in training, `target` those it predicted.
 * Latents and biases are divided by the scale of what they stand for; where both scales are equal, decoder norms stay. Holds
 * for every architecture whose activation is positively homogeneous.
 */
export function unscale(saved: Saved, { input, target }: { input: number; target: number }): Saved {
  const params = tf.tidy(() => {
    const scaled: Saved['params'] = {}
    const multiply = (name: string, tensor: Tensor, by: number) => {
      if (by !== 1) scaled[name] = tensor.mul(by)
    }
    for (const [name, tensor] of Object.entries(saved.params)) {
      if (name === 'b_dec') multiply(name, tensor, 1 / target)
      else if (/^(b_|threshold)/.test(name)) multiply(name, tensor, 1 / input)
      else if (/^W_(dec|skip)/.test(name)) multiply(name, tensor, input / target)
    }
    return scaled
  })
  // A residual is compared with it in the unit of the rows.
  const { residual_threshold: threshold } = saved.config
  const config =
    threshold === undefined ? saved.config : { ...saved.config, residual_threshold: (threshold as number) / input }
  return { ...replace(saved, params), config }
}

function replace(saved: Saved, params: Saved['params']): Saved {
  for (const name of Object.keys(params)) saved.params[name]!.dispose()
  return { ...saved, params: { ...saved.params, ...params } }
}
