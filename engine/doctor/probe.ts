/** Starts the engine in a process of its own and prints what it is: a crash in a library must not end the doctor. */
import { messageOf, UserError } from '../../core/errors.ts'
import { type Engine, startEngine } from '../engine.ts'
import { opInstructions } from '../ops/native.ts'
import type { EngineChoice } from '../settings.ts'

/** What the process prints. */
export interface Probe {
  readonly engine: Engine | null
  readonly problem: string | null
  readonly fix: string | null
  readonly opInstructions: string
}

/** Starts the engine and says what came of it. */
export async function probe(choice: EngineChoice): Promise<Probe> {
  try {
    const engine = await startEngine({ engine: choice })
    return { engine, problem: null, fix: null, opInstructions: opInstructions() }
  } catch (error) {
    const fix = error instanceof UserError ? (error.fix ?? null) : null
    return { engine: null, problem: messageOf(error), fix, opInstructions: 'none' }
  }
}

const choice = process.env.PIPELINE_PROBE
if (choice) process.stdout.write(JSON.stringify(await probe(choice as EngineChoice)))
