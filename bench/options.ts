/** What benchmarks have in common: a definition of their flags, and whom they tell. */
import { z } from 'zod'
import { type EngineChoice, precisions } from '../engine/settings.ts'
import type { CommandDefinition } from '../pipeline/command.ts'

/** Takes what a benchmark finds, as it finds it: text for people, or under `--json` an object a case. */
export interface Teller {
  /** Headings, rows of tables and remarks. */
  line(text: string): void
  /** The figures of one case, in units that their names tell. */
  result(figures: Readonly<Record<string, unknown>>): void
  /** A gate that has failed, in a sentence: the benchmark ends with code 2. */
  fail(sentence: string): void
}

/** A benchmark as the command line knows it. */
export interface Bench<out S extends z.ZodObject = z.ZodObject>
  extends Pick<CommandDefinition<S>, 'about' | 'examples' | 'config'> {
  /** The engine that it measures. */
  readonly engine: EngineChoice
  run(config: z.output<S>, tell: Teller): Promise<void>
}

/** Types a benchmark; nothing else. */
export function defineBench<S extends z.ZodObject>(bench: Bench<S>): Bench {
  return bench
}

/** Flags that several benchmarks have. */
export const flags = {
  rounds: z
    .int()
    .min(1)
    .default(7)
    .describe('Timed repetitions of each case; cases take turns, so that a busy machine slows all of them'),
  engine: z
    .enum(['tensorflow', 'tensorflow-gpu'])
    .default('tensorflow')
    .describe('The engine that is timed; the custom ops have kernels for processors alone'),
  precisions: z
    .array(z.enum(precisions))
    .nonempty()
    .default(['float32', 'bf16'])
    .describe('Precisions of matrix products; each is a process of its own'),
}
