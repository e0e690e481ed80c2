/** Every benchmark: a file that defines it, and a line here. */
import type { Bench } from './options.ts'

/** A benchmark's line in the overview, and where it is defined. */
export interface BenchEntry {
  readonly summary: string
  load(): Promise<{ readonly default: Bench }>
}

/** All benchmarks by name. */
export const benches: Readonly<Record<string, BenchEntry>> = {
  capture: { summary: 'Tokens a second out of a host model', load: () => import('./capture.ts') },
  'capture-memory': {
    summary: 'Memory of a whole capture, by the size of its text',
    load: () => import('./capture-memory.ts'),
  },
  'capture-writing': {
    summary: 'How much the writing of shards holds the model up',
    load: () => import('./capture-writing.ts'),
  },
  dashboard: { summary: 'Milliseconds in which pages answer in a browser', load: () => import('./dashboard.ts') },
  ops: { summary: 'Each custom op against its plain version, by instruction set', load: () => import('./ops.ts') },
  shards: { summary: 'Writing and reading of activation shards', load: () => import('./shards.ts') },
  label: {
    summary: 'Seconds and bytes a latent that labelling takes beyond encoding',
    load: () => import('./label.ts'),
  },
  step: { summary: 'Where the time of a training step goes', load: () => import('./step.ts') },
  serve: { summary: 'The server under load, and edits of its playground', load: () => import('./serve.ts') },
  train: { summary: 'Tokens a second that SAEs learn from', load: () => import('./train.ts') },
  validate: { summary: 'Effects of edits a second that validation measures', load: () => import('./validate.ts') },
  calibration: {
    summary: 'Whether the verdicts of validate keep their level on what nothing is true of',
    load: () => import('./calibration.ts'),
  },
  'sae-quality': {
    summary: 'Sparsity and fidelity of architectures at equal tokens',
    load: () => import('./sae-quality.ts'),
  },
}
