/**
 * How a saved SAE encodes and decodes: the architectures that files name, as their libraries compute them.
 *
 *   π = (x − b_dec · apply_b_dec_to_input) W_enc + b_enc
 *   standard   relu(π)                      topk   topK(relu(π), k)
 *   jumprelu   relu(π) · 1[π > threshold]   gated  1[π_gate > 0] · relu((x − b_dec) W_enc e^{r_mag} + b_mag)
 *   abstopk    π at its k largest |π|       matching_pursuit  as in pursuit.ts, with no encoder but the decoder
 *   temporal   as in temporal.ts: rows are one sequence
 *   x̂ = z W_dec + b_dec, and + x W_skipᵀ for skip transcoders; cross-layer transcoders as in layers.ts
 *
 * Where rows are normalised one by one, x is the normalised row, and x̂ is brought back but for transcoders.
 */
import { UserError } from '../core/errors.ts'
import { quote } from '../core/quote.ts'
import { type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import { above, absTopK, topK } from './layers/activations.ts'
import { decodeLayers, decoderOfLayers, layerPreActivations, skipLayers } from './layers/cross-layer.ts'
import { decoderNorms } from './layers/linear.ts'
import { type PursuitEnd, pursue } from './layers/pursuit.ts'
import { attentionLayers, attentionShapes, type TemporalCodes, temporalCodes } from './layers/temporal.ts'
import { normalise } from './normalise.ts'

export type SaeParams = Readonly<Record<string, Tensor>>
export type SaeConfig = Readonly<Record<string, unknown>>

/** Families of activation that a saved architecture's name stands for. */
type Activation = 'relu' | 'topk' | 'abstopk' | 'jumprelu' | 'gated' | 'pursuit' | 'temporal'

const activations: Record<string, Activation> = {
  standard: 'relu',
  topk: 'topk',
  jumprelu: 'jumprelu',
  gated: 'gated',
  abstopk: 'abstopk',
  matching_pursuit: 'pursuit',
  temporal: 'temporal',
  transcoder: 'relu',
  skip_transcoder: 'relu',
  jumprelu_transcoder: 'jumprelu',
  jumprelu_skip_transcoder: 'jumprelu',
  topk_transcoder: 'topk',
  topk_skip_transcoder: 'topk',
  crosscoder: 'relu',
  topk_crosscoder: 'topk',
  jumprelu_crosscoder: 'jumprelu',
  cross_layer_transcoder: 'jumprelu',
  cross_layer_skip_transcoder: 'jumprelu',
}

/** The architectures a saved SAE may have. */
export const inferenceArchitectures = Object.keys(activations)

/** The activation of a saved architecture; a `UserError` when it is not known. */
export function activationOf(architecture: string): Activation {
  const activation = Object.hasOwn(activations, architecture) ? activations[architecture] : undefined
  if (!activation)
    throw new UserError(`The SAE architecture ${quote(architecture)} is not known.`, {
      fix: `Known are ${inferenceArchitectures.join(', ')}.`,
    })
  return activation
}

/** Whether each row keeps a fixed number `k` of latents, which ranks them by their value or its size. */
export function choosesK(architecture: string): boolean {
  return ['topk', 'abstopk'].includes(activationOf(architecture))
}

/** Whether latents may be negative: they fire where they are not 0. */
export function hasSignedLatents(architecture: string): boolean {
  return architecture === 'abstopk'
}

/** Whether rows that are encoded together are one sequence, in its order, instead of each for itself. */
export function readsSequences(architecture: string): boolean {
  return architecture === 'temporal'
}

/** Whether latents of each layer write to that layer and all later ones. */
function isCrossLayer(architecture: string): boolean {
  return architecture === 'cross_layer_transcoder' || architecture === 'cross_layer_skip_transcoder'
}

/** Sizes of an SAE, as its tensors imply them. */
export interface Sizes {
  readonly width: number
  readonly latents: number
  readonly outputs: number
}

type Shapes = Readonly<Record<string, { readonly shape: readonly number[] }>>

/** The sizes that an architecture's matrices imply, or undefined where they are missing or of the wrong rank. */
export function impliedSizes(architecture: string, tensors: Shapes): Sizes | undefined {
  const encoder = tensors.W_enc?.shape
  if (isCrossLayer(architecture)) {
    if (encoder?.length !== 3) return undefined
    const [layers, width, latents] = encoder as [number, number, number]
    return { width: layers * width, latents: layers * latents, outputs: tensors.W_dec_0?.shape[1] ?? 0 }
  }
  const decoder = tensors.W_dec?.shape
  if (['pursuit', 'temporal'].includes(activationOf(architecture)))
    return decoder?.length === 2 ? { width: decoder[1]!, latents: decoder[0]!, outputs: decoder[1]! } : undefined
  if (encoder?.length !== 2 || decoder?.length !== 2) return undefined
  return { width: encoder[0]!, latents: encoder[1]!, outputs: decoder[1]! }
}

/** Names and shapes of the tensors an architecture needs. */
export function tensorShapes(architecture: string, { width, latents, outputs }: Sizes, tensors: Shapes) {
  const shapes: Record<string, number[]> = { b_dec: [outputs] }
  const activation = activationOf(architecture)
  if (activation === 'pursuit') return { W_dec: [latents, outputs], b_dec: [outputs] }
  if (activation === 'temporal') {
    const keys = tensors['attn_layers.0.k_ctx.weight']?.shape[0] ?? 0
    const layers = Math.max(1, attentionLayers(Object.keys(tensors)))
    // A tied encoder is the decoder, and is not kept beside it.
    const encoder: Record<string, number[]> = tensors.W_enc ? { W_enc: [width, latents] } : {}
    return { ...shapes, W_dec: [latents, outputs], ...encoder, ...attentionShapes(layers, latents, keys) }
  }
  if (isCrossLayer(architecture)) {
    const layers = tensors.W_enc!.shape[0]!
    shapes.W_enc = [layers, width / layers, latents / layers]
    for (let l = 0; l < layers; l++) shapes[`W_dec_${l}`] = [latents / layers, ((layers - l) * outputs) / layers]
    if (architecture.includes('skip')) shapes.W_skip = [layers, outputs / layers, width / layers]
  } else {
    Object.assign(shapes, { W_enc: [width, latents], W_dec: [latents, outputs] })
    if (architecture.includes('skip')) shapes.W_skip = [outputs, width]
  }
  if (activation === 'gated') Object.assign(shapes, { b_gate: [latents], r_mag: [latents], b_mag: [latents] })
  else shapes.b_enc = [latents]
  if (activation === 'jumprelu') shapes.threshold = [latents]
  return shapes
}

/** Decoder row of each latent [latents, outputs]; the caller disposes it. */
export function decoderRows(architecture: string, params: SaeParams): Tensor2D {
  if (isCrossLayer(architecture)) return decoderOfLayers(layerDecoders(params), params.b_dec!.shape[0]!)
  return params.W_dec!.clone() as Tensor2D
}

function layerDecoders(params: SaeParams): Tensor2D[] {
  return Array.from({ length: params.W_enc!.shape[0]! }, (_, l) => params[`W_dec_${l}`] as Tensor2D)
}

/** Latents [rows, latents] of raw rows, and how to bring a reconstruction back to their units. */
export function encodeRows(architecture: string, params: SaeParams, config: SaeConfig, x: Tensor2D): Tensor2D {
  if (isCrossLayer(architecture)) {
    const wEnc = params.W_enc as Tensor3D
    const pre = layerPreActivations({ wEnc, bEnc: params.b_enc as Tensor1D }, x)
    return above(tf.relu(pre), params.threshold as Tensor1D)
  }
  if (readsSequences(architecture)) return codesOf(params, config, x).novel
  const { rows } = normalise(config.normalize_activations, x)
  const input = config.apply_b_dec_to_input ? rows.sub<Tensor2D>(params.b_dec!) : rows
  const activation = activationOf(architecture)
  if (activation === 'pursuit') return pursue(input, params.W_dec as Tensor2D, pursuitEnd(config, x.shape[1])).latents
  const wEnc = params.W_enc as Tensor2D
  if (activation === 'gated') {
    const shared = tf.matMul(input, wEnc)
    const gate = tf.greater(shared.add(params.b_gate!), 0).cast('float32')
    const scaled = shared.mul(params.r_mag!.exp()).add(params.b_mag!)
    return tf.relu(scaled).mul(gate)
  }
  const pre = tf.matMul(input, wEnc).add<Tensor2D>(params.b_enc!)
  if (activation === 'jumprelu') return above(tf.relu(pre), params.threshold as Tensor1D)
  if (activation === 'relu') return tf.relu(pre)
  const ranked = config.rescale_acts_by_decoder_norm ? pre.mul<Tensor2D>(decoderNorms(params.W_dec as Tensor2D)) : pre
  return activation === 'abstopk' ? absTopK(ranked, config.k as number) : topK(tf.relu(ranked), config.k as number)
}

/** The codes of one sequence under a temporal SAE. */
function codesOf(params: SaeParams, config: SaeConfig, x: Tensor2D): TemporalCodes {
  const kind = config.normalize_activations
  const { rows } =
    kind === 'constant_scalar_rescale' ? { rows: x.mul<Tensor2D>(rowScaleOf(config)) } : normalise(kind, x)
  const input = config.apply_b_dec_to_input ? rows.sub<Tensor2D>(params.b_dec!) : rows
  const { W_enc, W_dec, b_dec: _, ...attention } = params
  const wDec = W_dec as Tensor2D
  const wEnc = (W_enc ?? tf.transpose(wDec)) as Tensor2D
  const k = config.sae_diff_type === 'relu' ? undefined : (config.kval_topk as number | null | undefined)
  return temporalCodes(input, { wEnc, wDec, attention }, { heads: config.n_heads as number, k: k ?? undefined })
}

/** What an SAE multiplies all rows by before it reads them, and divides by what it gives; 1 but for some temporal ones. */
export function rowScaleOf(config: SaeConfig): number {
  if (config.normalize_activations !== 'constant_scalar_rescale') return 1
  return config.activation_normalization_factor as number
}

/** When a row has latents enough, with SAELens's names and defaults. */
function pursuitEnd(config: SaeConfig, width: number): PursuitEnd {
  return {
    most: (config.max_iterations as number | null | undefined) ?? width,
    threshold: (config.residual_threshold as number | undefined) ?? 0.01,
    stopOnRepeat: (config.stop_on_duplicate_support as boolean | undefined) ?? true,
  }
}

/** Reconstruction [rows, outputs] of latents; `x` is needed for skip connections and normalisations of single rows. */
export function decodeRows(
  architecture: string,
  params: SaeParams,
  config: SaeConfig,
  latents: Tensor2D,
  x?: Tensor2D,
): Tensor2D {
  if (isCrossLayer(architecture)) {
    const written = decodeLayers({ wDec: layerDecoders(params), bDec: params.b_dec as Tensor1D }, latents)
    return params.W_skip ? written.add(skipLayers(params.W_skip as Tensor3D, rowsFor(architecture, x))) : written
  }
  if (readsSequences(architecture)) {
    const given = rowsFor(architecture, x)
    const both = latents.add<Tensor2D>(codesOf(params, config, given).predicted)
    const y = tf.matMul(both, params.W_dec as Tensor2D) as Tensor2D
    const biased = params.W_enc || config.apply_b_dec_to_input ? y.add<Tensor2D>(params.b_dec!) : y
    if (config.normalize_activations === 'constant_scalar_rescale') return biased.div(rowScaleOf(config))
    return normalise(config.normalize_activations, given).undo(biased)
  }
  const rescale = choosesK(architecture) && config.rescale_acts_by_decoder_norm
  const z = rescale ? latents.div<Tensor2D>(decoderNorms(params.W_dec as Tensor2D)) : latents
  let y = tf.matMul(z, params.W_dec as Tensor2D) as Tensor2D
  // The pursuit's one bias is on both sides or on none.
  if (activationOf(architecture) !== 'pursuit' || config.apply_b_dec_to_input) y = y.add<Tensor2D>(params.b_dec!)
  // A transcoder gives another site, so that the scale of the rows it read says nothing of what it gives.
  const undone = normalisesRows(config) && !architecture.includes('transcoder')
  if (params.W_skip) y = y.add(tf.matMul(rowsFor(architecture, x), params.W_skip as Tensor2D, false, true))
  return undone ? normalise(config.normalize_activations, rowsFor(architecture, x)).undo(y) : y
}

function rowsFor(architecture: string, x: Tensor2D | undefined): Tensor2D {
  if (x) return x
  throw new UserError(`Decoding with this ${architecture} SAE needs the rows that were encoded.`)
}

/** Whether rows are normalised one by one, so that decoding needs them. */
export function normalisesRows(config: SaeConfig): boolean {
  return config.normalize_activations === 'layer_norm' || config.normalize_activations === 'constant_norm_rescale'
}
