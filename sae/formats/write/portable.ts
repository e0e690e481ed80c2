/**
 * An SAE on the host, as every exporter starts from it, and the changes of weights that leave latents and reconstructions
 * as they are: formats differ in whether the decoder bias is taken from the input, and in whether latents are chosen by
 * their decoder norm.
 */
import { UserError } from '../../../core/errors.ts'
import { type Numbers, rowNorms, scaleColumns, scaleRows } from '../../../engine/torch/numbers.ts'
import { choosesK, normalisesRows } from '../../inference.ts'
import type { Sae, SaeMetadata } from '../../sae.ts'

export interface Portable {
  readonly architecture: string
  readonly width: number
  readonly outputs: number
  readonly latents: number
  readonly config: Readonly<Record<string, unknown>>
  readonly metadata: SaeMetadata
  /** Weights under SAELens's names. */
  readonly params: Readonly<Record<string, Numbers>>
  /** log10 of each latent's density, where it is known. */
  readonly sparsity?: Float32Array
}

/** The weights of an SAE on the host; the SAE stays the caller's. */
export async function toPortable(sae: Sae, sparsity?: Float32Array): Promise<Portable> {
  const params: Record<string, Numbers> = {}
  for (const [name, tensor] of Object.entries(sae.params))
    params[name] = { shape: tensor.shape.slice(), data: (await tensor.data()) as Float32Array }
  const { architecture, width, outputs, latents, config, metadata } = sae
  return { architecture, width, outputs, latents, config, metadata, params, ...(sparsity ? { sparsity } : {}) }
}

/** Refuses other architectures than a format knows. */
export function mustKnow(sae: Portable, format: string, architectures: readonly string[]): void {
  if (!architectures.includes(sae.architecture))
    throw new UserError(
      `The ${format} format cannot hold a ${sae.architecture} SAE; it holds ${architectures.join(', ')}.`,
      { fix: 'Export it in another format, or copy the directory of the run, which is in the layout of SAELens.' },
    )
}

/** Refuses what a format cannot hold: other architectures than it knows, and rows that are normalised one by one. */
export function mustHold(sae: Portable, format: string, architectures: readonly string[]): void {
  mustKnow(sae, format, architectures)
  if (normalisesRows(sae.config))
    throw new UserError(
      `The ${format} format cannot say that rows are normalised by ${String(sae.config.normalize_activations)}.`,
      { fix: 'Export it with --format saelens.' },
    )
}

/** The same SAE with the decoder bias taken from the input, or not: b_enc gains or loses b_dec W_enc. */
export function withInputBias(sae: Portable, wanted: boolean): Portable {
  if (Boolean(sae.config.apply_b_dec_to_input) === wanted) return sae
  const { W_enc, b_dec, b_enc, b_gate, b_mag, r_mag } = sae.params as Record<string, Numbers | undefined>
  const shift = new Float64Array(sae.latents)
  for (let i = 0; i < sae.width; i++) {
    const bias = b_dec!.data[i]!
    for (let j = 0; j < sae.latents; j++) shift[j]! += bias * W_enc!.data[i * sae.latents + j]!
  }
  const sign = wanted ? 1 : -1
  const moved = (numbers: Numbers, by: (j: number) => number): Numbers => ({
    shape: numbers.shape,
    data: numbers.data.map((value, j) => value + sign * by(j)),
  })
  return {
    ...sae,
    config: { ...sae.config, apply_b_dec_to_input: wanted },
    params: {
      ...(sae.params as Record<string, Numbers>),
      ...(b_enc ? { b_enc: moved(b_enc, j => shift[j]!) } : {}),
      ...(b_gate ? { b_gate: moved(b_gate, j => shift[j]!) } : {}),
      ...(b_mag ? { b_mag: moved(b_mag, j => shift[j]! * Math.exp(r_mag!.data[j]!)) } : {}),
    },
  }
}

/** The same SAE with latents chosen by their own value: decoder norms go into the encoder. */
export function withoutRescaling(sae: Portable): Portable {
  if (!choosesK(sae.architecture) || !sae.config.rescale_acts_by_decoder_norm) return sae
  const { W_enc, b_enc, W_dec } = sae.params as Record<string, Numbers>
  const norms = rowNorms(W_dec!)
  return {
    ...sae,
    config: { ...sae.config, rescale_acts_by_decoder_norm: false },
    params: {
      ...sae.params,
      W_enc: { shape: W_enc!.shape, data: scaleColumns(W_enc!, norms) },
      b_enc: { shape: b_enc!.shape, data: b_enc!.data.map((value, j) => value * norms[j]!) },
      W_dec: {
        shape: W_dec!.shape,
        data: scaleRows(
          W_dec!,
          norms.map(norm => 1 / (norm || 1)),
        ),
      },
    },
  }
}

/**
 * The same SAE as a JumpReLU: ReLU is one with thresholds of 0, and a gate that shares its directions with the magnitudes
 * is one on the magnitudes, since x·w + b_gate > 0 where e^r x·w + b_mag > b_mag − e^r b_gate.
 */
export function asJumpRelu(sae: Portable): Portable {
  const { W_enc, W_dec, b_dec, b_gate, b_mag, r_mag, threshold } = sae.params as Record<string, Numbers>
  if (threshold) return sae
  const latents = [sae.latents]
  const common = { ...sae, architecture: 'jumprelu' }
  if (!b_gate)
    return { ...common, params: { ...sae.params, threshold: { shape: latents, data: new Float32Array(sae.latents) } } }
  const gains = Float64Array.from(r_mag!.data, Math.exp)
  return {
    ...common,
    params: {
      W_enc: { shape: W_enc!.shape, data: scaleColumns(W_enc!, gains) },
      W_dec: W_dec!,
      b_dec: b_dec!,
      b_enc: b_mag!,
      threshold: {
        shape: latents,
        data: b_mag!.data.map((value, j) => Math.max(0, value - gains[j]! * b_gate.data[j]!)),
      },
    },
  }
}
