/** What computes for the server. It is given from outside: the server itself starts no engine and loads no model. */
import type { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import type { continued, fires, play } from '../api/contracts/play.ts'

/** Neighbours of a latent by decoder cosine. */
export interface Near {
  readonly latent: number
  readonly cosine: number
}

/** Two SAEs matched one to one; latents are of A, `match` −1 and `cosine` 0 without a partner. */
export interface Matched {
  readonly latents: readonly [a: number, b: number]
  readonly notices: readonly string[]
  readonly mcc: number
  readonly mccBound: number
  readonly exact: boolean
  readonly shared: number
  readonly null: readonly number[]
  readonly p: number | null
  readonly match: readonly number[]
  readonly cosine: readonly number[]
  /** For each latent of B the latent of A that is nearest to it, and their |cosine|. */
  readonly nearest: { readonly latent: readonly number[]; readonly cosine: readonly number[] }
}

/** What is known of a latent from a label run, which the playground needs: largest activations and densities by latent. */
export interface Known {
  readonly run: string
  readonly maxActivation: readonly number[]
  readonly density: readonly number[]
}

/** Each task: what it takes and what it gives. */
export interface Tasks {
  readonly fires: {
    readonly asked: z.output<typeof fires.body> & { readonly known: Known | null }
    readonly given: z.input<typeof fires.answer>
  }
  readonly play: {
    readonly asked: z.output<typeof play.body> & { readonly known: Known | null }
    readonly given: z.input<typeof play.answer>
  }
  readonly continued: {
    readonly asked: z.output<typeof continued.body> & { readonly known: Known | null }
    readonly given: z.input<typeof continued.answer>
  }
  readonly neighbours: {
    readonly asked: { readonly sae: string; readonly latent: number; readonly count: number }
    readonly given: readonly Near[]
  }
  readonly compare: {
    readonly asked: { readonly a: string; readonly b: string; readonly threshold: number }
    readonly given: Matched
  }
}
export type TaskName = keyof Tasks

/** One task at a time; of those that wait, the newest is done and older ones are refused. */
export interface Compute {
  /** Rejects with a `SupersededError` where a newer question took the place, and with a `UserError` where it cannot be done. */
  do<Name extends TaskName>(task: Name, asked: Tasks[Name]['asked'], signal: AbortSignal): Promise<Tasks[Name]['given']>
  close(): Promise<void>
}

/** A question that waited, and for which a newer one is answered. */
export class SupersededError extends UserError {}

/** Whatever computes; a `UserError` where the server only reads. */
export function mustCompute(compute: Compute | undefined): Compute {
  if (compute) return compute
  throw new UserError('This server computes nothing: it was started to read alone.', {
    fix: 'Start it without --compute none.',
  })
}
