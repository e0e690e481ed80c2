/** What a worker process and the one that started it say to each other. */
import { hostname } from 'node:os'
import { FaultError, InterruptedError, messageOf, SpoiltError, UserError } from '../../core/errors.ts'
import type { Identity } from '../stages/divide.ts'
import type { StageConfig } from '../stages/stage.ts'

export type Request =
  /** Open a stage's work, for its units to be done. */
  | { readonly kind: 'open'; readonly stage: string; readonly config: StageConfig }
  /** Do a unit of the work that is open. */
  | { readonly kind: 'work'; readonly unit: number }
  /** Do a whole stage; `identity` is the run that is to come of it, where it is known. */
  | {
      readonly kind: 'perform'
      readonly stage: string
      readonly config: StageConfig
      readonly identity: Identity | null
    }

export type Reply =
  | { readonly kind: 'opened'; readonly identity: Identity; readonly names: readonly string[] }
  | { readonly kind: 'finished'; readonly run: string; readonly key: string }
  | { readonly kind: 'worked'; readonly made: boolean }
  | { readonly kind: 'performed'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly problem: Problem }

/** An error as it crosses processes. */
export interface Problem {
  readonly message: string
  readonly fix: string | undefined
  /** The exit code that stands for its kind; 70 is a bug. */
  readonly exitCode: number
  readonly spoilt: boolean
}

/**
 * Throws a `UserError` where this machine would make another run of the same stage and config than the one that divided the
 * work, or make it by another version of the program; it says what differs.
 */
export function mustBeSame(stage: string, wanted: Identity, own: Identity): void {
  const names = [...new Set([...Object.keys(wanted.basis), ...Object.keys(own.basis)])]
  const differing = names.filter(name => wanted.basis[name] !== own.basis[name])
  if (wanted.key === own.key && differing.length === 0) return
  const shown = (value = 'none') => (/^[0-9a-f]{64}$/.test(value) ? value.slice(0, 12) : value)
  const what = differing.map(name => `its ${name} is ${shown(own.basis[name])}, not ${shown(wanted.basis[name])}`)
  throw new UserError(
    `The machine ${hostname()} would make another ${stage} run than the one that divided the work: ${what.join('; ') || 'it reads the settings otherwise'}.`,
    { fix: 'Put the same there, or give unlike machines queues of their own (--machines).' },
  )
}

export function problemOf(error: unknown): Problem {
  if (!(error instanceof UserError))
    return {
      message: error instanceof Error ? (error.stack ?? error.message) : messageOf(error),
      fix: undefined,
      exitCode: 70,
      spoilt: false,
    }
  const { message, fix, exitCode } = error
  return { message, fix, exitCode, spoilt: error instanceof SpoiltError }
}

/** The error that a problem was made of, of the same kind. */
export function errorOf({ message, fix, exitCode, spoilt }: Problem): Error {
  const options = fix === undefined ? {} : { fix }
  if (exitCode === 70) return new Error(message)
  if (exitCode === 75) return new FaultError(message, options)
  if (exitCode === 4) return new InterruptedError(message, options)
  return spoilt ? new SpoiltError(message, options) : new UserError(message, options)
}
