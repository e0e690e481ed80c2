/**
 * What an SAE architecture is: its settings, its weights and its equations, in plain tensors.
 *
 * `loss` defines the training objective; its gradients come by automatic differentiation. A faster step may stand in for
 * loss, gradients and update together (`step.ts`), and is tested to agree with this one. A new architecture is one file
 * in `architectures/` and one line in its index.
 */
import type { z } from 'zod'
import type { Random } from '../core/random.ts'
import type { Scalar, Tensor, Tensor1D, Tensor2D } from '../engine/tf.ts'

/** Sizes of an SAE. Several sites (crosscoders) lie side by side in a row, so that every batch is a matrix. */
export interface Shape {
  /** Width of an input row: the sum over the input sites. */
  readonly width: number
  /** Width of a target row; equal to `width` unless the SAE predicts another site. */
  readonly outputs: number
  readonly latents: number
  /** Sites an input row is made of, all of equal width; a target row has as many, or one. */
  readonly sites: number
}

/** Trained weights by name: wEnc [width, latents], bEnc [latents], wDec [latents, outputs], bDec [outputs] and others. */
export type Params = Record<string, Tensor>

/** Rows to learn from: `target` is `input` itself unless the SAE predicts another site. */
export interface Batch {
  readonly input: Tensor2D
  readonly target: Tensor2D
}

/** Numbers outside the gradient, in double precision: running thresholds, annealed exponents. */
export type State = Readonly<Record<string, number>>

/** What the loss may depend on besides weights and rows. */
export interface LossContext {
  readonly step: number
  /** Steps of the whole training. */
  readonly total: number
  /** 1 where a latent is dead, else 0; [latents]. Absent when none is dead. */
  readonly dead?: Tensor1D
  readonly deadCount: number
  /** Sparsity warm-up: the share, 0 to 1, of the sparsity coefficient that applies now. */
  readonly sparsity: number
  /** k of this step under k-annealing; the settings' own k when absent. */
  readonly k?: number
  /** Mean squared distance of the targets from their mean, measured once before training. */
  readonly variance: number
  readonly state: State
}

/** The terms add up to the loss; latents and reconstruction are what the training pass used. */
export interface Loss {
  readonly terms: Record<string, Scalar>
  readonly latents: Tensor2D
  readonly reconstruction: Tensor2D
}

/** An SAE as it is kept on disk: the inference architecture, its cfg.json keys and its tensors under their saved names. */
export interface Saved {
  readonly architecture: string
  readonly config: Readonly<Record<string, unknown>>
  /** Tensors that whoever receives them disposes. */
  readonly params: Record<string, Tensor>
}

// biome-ignore lint/suspicious/noExplicitAny: a registry holds architectures of every schema and weight set
export interface Architecture<Schema extends z.ZodObject = z.ZodObject, P extends Params = any> {
  readonly name: string
  /** One line on what is special about it. */
  readonly summary: string
  readonly config: Schema
  /**
   * How training must hand it data: one site; one site and another to predict; several sites at once; or several sites
   * and as many to predict.
   */
  readonly reads: 'site' | 'target' | 'sites' | 'layers'
  /** Training settings it wants unless the user or a preset says otherwise. */
  readonly training?: Readonly<Record<string, unknown>>
  /** By what our default learning rate is multiplied; 1 unless it needs more haste. */
  readonly rateFactor?: number
  /** Starting values of the running numbers. */
  state?(config: z.output<Schema>): State
  /** Fresh weights; draws from `random` only. */
  init(shape: Shape, config: z.output<Schema>, random: Random): P
  /** Moves fresh weights to where these rows are; `bDec` has been set already. Replaces and disposes what it changes. */
  centre?(params: P, input: Tensor2D, config: z.output<Schema>): void
  /** Latents [rows, latents] as inference has them. */
  encode(params: P, input: Tensor2D, config: z.output<Schema>, state: State): Tensor2D
  /** Reconstruction [rows, outputs]; `input` is needed by architectures with a skip connection. */
  decode(params: P, latents: Tensor2D, config: z.output<Schema>, input?: Tensor2D): Tensor2D
  loss(params: P, batch: Batch, config: z.output<Schema>, context: LossContext): Loss
  /** The running numbers after a step whose training latents were these. */
  observe?(latents: Tensor2D, config: z.output<Schema>, context: LossContext): State
  /** The trained SAE in the form that is saved; units are those of the rows it was trained on. */
  save(params: P, config: z.output<Schema>, state: State): Saved
}

/** Gives an architecture its types from its schema. */
export function defineArchitecture<Schema extends z.ZodObject, P extends Params>(
  architecture: Architecture<Schema, P>,
): Architecture<Schema, P> {
  return architecture
}
