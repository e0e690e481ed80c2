/** A store of hand-made runs, and a session, for tests of stages. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { silent } from '../../core/progress.ts'
import type { RunRequest } from '../../runs/key.ts'
import type { FinishedRun, RunInput } from '../../runs/run.ts'
import type { RunStore } from '../../runs/store.ts'
import { runAsInput } from './found.ts'
import type { Session } from './session.ts'
import type { StageConfig } from './stage.ts'

export const session: Session = {
  progress: silent,
  signal: new AbortController().signal,
  now: () => new Date('2026-01-02T03:04:05Z'),
}

/** The keys that every stage has, as parsing gives them. */
export function common(store: RunStore, own: Record<string, unknown> = {}): StageConfig {
  return { seed: 0, engine: 'wasm', precision: 'float32', 'runs-dir': store.directory, ...own }
}

/** A finished run of these inputs with these files. */
export async function made(
  store: RunStore,
  name: string,
  stage: string,
  { inputs = [], files = {}, config = {} }: Partial<Made> = {},
): Promise<FinishedRun> {
  const request: RunRequest = {
    stage,
    name,
    config,
    inputs,
    seed: 0,
    engine: {},
    versions: {},
    machine: {},
  }
  const opened = await store.open(request, session.now)
  if (opened.state === 'unchanged') return opened.run
  for (const [file, text] of Object.entries(files)) writeFileSync(join(opened.run.directory, file), text)
  return opened.run.finish({})
}

interface Made {
  readonly inputs: readonly RunInput[]
  readonly files: Readonly<Record<string, string>>
  readonly config: Readonly<Record<string, unknown>>
}

/** A run as what another one was made from. */
export function from(run: FinishedRun, role: string): RunInput {
  return runAsInput(run, role).input
}
