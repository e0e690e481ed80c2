/** Runs made up on disk, as far as a report reads them. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { silent } from '../../core/progress.ts'
import { memoryMetrics } from '../../core/stage.ts'
import { writeTable } from '../../datasets/tables.ts'
import { evidenceOf, type MadeUp, madeUpHashes } from '../../labels/evidence.fixture.ts'
import { type Feature, labelsSchema } from '../../labels/feature.ts'
import { writeJsonLines } from '../../labels/files.ts'
import type { RunManifest } from '../../runs/run.ts'
import type { Hashes } from '../../validation/evidence.ts'
import { type ReportedRun, type ReportInputs, report } from './report.ts'

/** One example of each latent: what a row of examples.parquet holds of it. */
export interface MadeUpExample {
  readonly latent: number
  readonly tokens: readonly string[]
}

export interface MadeUpReport {
  readonly title?: string
  readonly features?: readonly Feature[]
  readonly examples?: readonly MadeUpExample[]
  readonly tested?: readonly MadeUp[]
  readonly evidenceHashes?: Hashes
  readonly saeHash?: string
  readonly shown?: number
}

/** Writes a validate and a label run into `folder`, and the report about them; gives its folder. */
export async function madeUpReport(folder: string, made: MadeUpReport): Promise<string> {
  const { features = [], examples = [], tested = [], shown = 40 } = made
  const validate = await runOf(folder, 'validate', { passed: 1, latents: tested.length, fvu: 0.25 })
  const evidence = evidenceOf(tested, made.evidenceHashes ?? madeUpHashes)
  await writeFile(join(validate.directory, 'evidence.json'), JSON.stringify(evidence))
  const label = await runOf(folder, 'label', {})
  await writeJsonLines(join(label.directory, 'features.jsonl'), features)
  await writeExamples(label.directory, examples)
  const inputs: ReportInputs = {
    title: made.title ?? 'made up',
    sae: { name: 'run42', hash: made.saeHash ?? madeUpHashes.sae },
    validate,
    label,
    features: shown,
  }
  const signal = new AbortController().signal
  await report({ directory: folder, seed: 0, progress: silent, signal, metrics: memoryMetrics() }, inputs)
  return folder
}

/** Writes examples.parquet with row groups of `rowGroupRows`. */
export async function writeExamples(directory: string, examples: readonly MadeUpExample[], rowGroupRows = 2000) {
  const column = <T, V>(type: T, values: readonly V[]) => ({ type, values })
  await writeTable(
    join(directory, 'examples.parquet'),
    {
      latent: column(
        'int32',
        examples.map(({ latent }) => latent),
      ),
      group: column(
        'string',
        examples.map(() => 'top'),
      ),
      window: column(
        'string',
        examples.map(({ latent }) => `document-${latent}`),
      ),
      position: column(
        'int32',
        examples.map(() => 1),
      ),
      start: column(
        'int32',
        examples.map(() => 0),
      ),
      activation: column(
        'float32',
        examples.map(() => 2),
      ),
      tokens: column(
        'list<string>',
        examples.map(({ tokens }) => tokens),
      ),
      activations: column(
        'list<float32>',
        examples.map(({ tokens }) => tokens.map((_, i) => i)),
      ),
    },
    { schema: labelsSchema, rowGroupRows },
  )
}

async function runOf(folder: string, stage: string, summary: Record<string, unknown>): Promise<ReportedRun> {
  const directory = join(folder, stage)
  await mkdir(directory, { recursive: true })
  const manifest = {
    ...{ id: `run42-${stage}`, stage, key: 'f'.repeat(64), seed: 0, engine: {}, config: {}, files: {}, summary },
    inputs: [{ role: 'sae', run: `sae-of-${stage}`, sha256: 'f'.repeat(64) }],
  } as unknown as RunManifest
  return { directory, manifest }
}
