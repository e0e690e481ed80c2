/** A made-up store for tests of the server: a train run, a validate run, a drift run and a label run of three features. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Metrics } from '../../core/stage.ts'
import { writeTable } from '../../datasets/tables.ts'
import { evidenceOf, featureOf } from '../../labels/evidence.fixture.ts'
import { type Feature, labelsSchema } from '../../labels/feature.ts'
import { writeJsonLines } from '../../labels/files.ts'
import { writeFeatures } from '../../labels/tables.ts'
import { type Drift, type DriftCell, driftFile } from '../../runs/drift.ts'
import { contentHash } from '../../runs/seal.ts'
import { RunStore } from '../../runs/store.ts'
import { effectsSchema, type FeatureEvidence } from '../../validation/evidence.ts'

const request = { config: {}, inputs: [], seed: 0, engine: {}, versions: {}, machine: {} }
const at = (day: number) => () => new Date(Date.UTC(2026, 0, day))

export interface MadeRun {
  readonly inputs?: readonly {
    readonly role: string
    readonly run?: string
    readonly path?: string
    readonly sha256: string
  }[]
  readonly config?: Readonly<Record<string, unknown>>
  /** Whether it is closed; default: yes. */
  readonly finished?: boolean
}

/** Makes a run with these files, and gives its content hash. */
export async function makeRun(
  folder: string,
  stage: string,
  name: string,
  { finished = true, ...more }: MadeRun,
  write: (directory: string, metrics: Metrics) => Promise<void> | void,
): Promise<string> {
  const store = new RunStore(folder)
  const opened = await store.open({ ...request, ...more, stage, name }, at(name.length))
  if (opened.state === 'unchanged') throw new Error(`The run ${name} is there already.`)
  await write(opened.run.directory, opened.run.metrics)
  if (!finished) return ''
  await opened.run.finish({ latents: 3, fvu: 0.25 })
  return contentHash((await store.find(name)).manifest)
}

/** What evidence says of how well latent 1 tells a concept: of eight tokens four carry it. */
export const madeUpSelectivity = (concept: string): NonNullable<FeatureEvidence['selectivity']> => ({
  ...{ concept, discoveryAuroc: 0.9, auroc: 0.75, low: 0.5, high: 1, tokens: 8, positives: 4, documents: 2 },
  ...{ deLong: { low: 0.5, high: 1 }, nullMaxima: [0.5, 0.625], p: 0.5, q: 0.5, verdict: 'pass', reason: 'it tells' },
})

/** The raw values of that, and some of another latent. */
export const writeMadeUpSelectivity = (directory: string): Promise<unknown> =>
  writeTable(join(directory, 'selectivity.parquet'), {
    feature: { type: 'int32', values: [1, 1, 2] },
    document: { type: 'string', values: ['a', 'b', 'a'] },
    window: { type: 'string', values: ['a', 'b', 'a'] },
    tokens: { type: 'int32', values: [4, 4, 4] },
    positions: { type: 'list<int32>', values: [[1, 2], [1, 2, 3], [1]] },
    activations: { type: 'list<float32>', values: [[4, 2], [3, 1, 2], [9]] },
    labelled: { type: 'list<int32>', values: [[1, 3], [1, 2], [1]] },
  })

/** What a comparison of a run with itself might hold: two sites by language, of which one cell drifted and one has too little. */
export function madeUpDrift(run: { readonly id: string; readonly stage: string; readonly sha256: string }): Drift {
  const cell = (site: string, language: string, adjusted: number | null): DriftCell => ({
    ...{ site, stratum: { language }, latent: null, documents: [40, 40], means: [1, 1.5], drifted: adjusted === 0.002 },
    measures: [{ name: 'ks', value: 0.5, expected: 0.2, p: adjusted, adjusted }],
  })
  const cells = [cell('hook_embed', 'fi', 0.5), cell('hook_embed', '<b>en</b>', 0.002), cell('last', 'fi', null)]
  return {
    ...{ schema: 2, kind: 'capture', a: run, b: run, alpha: 0.01, seed: 0, draws: 499, cells, drifted: 1, tested: 2 },
    ...{ family: { method: 'max-T', size: 2 }, definitions: { ks: 'largest distance' }, notes: ['Seeds differ.'] },
    composition: 0.25,
  }
}

/** Features of the made-up label run. */
export const madeUpFeatures: readonly Feature[] = [
  featureOf(0, { label: 'red apples', density: 0.5 }),
  featureOf(1, { label: null, density: 0.125 }),
  featureOf(2, { label: '<script>alert(1)</script>', density: 0.25 }),
]

/** Writes `curves`, `tested`, a comparison of that with itself, `moved`, and `labelled` into a folder. */
export async function madeUpStore(folder: string): Promise<void> {
  const sae = await makeRun(folder, 'train', 'curves', { config: { architecture: 'topk' } }, (_, metrics) => {
    metrics.append({ kind: 'step', step: 0, loss: 3 })
    metrics.append({ kind: 'step', step: 1, loss: 2 })
  })
  const inputs = [{ role: 'sae', run: 'curves', sha256: sae }]
  const tested = await makeRun(folder, 'validate', 'tested', { inputs }, async directory => {
    const evidence = evidenceOf([{ feature: 1 }])
    const features = evidence.features.map(feature => ({ ...feature, selectivity: madeUpSelectivity('red') }))
    writeFileSync(join(directory, 'evidence.json'), JSON.stringify({ ...evidence, features }))
    await writeMadeUpSelectivity(directory)
    await writeTable(
      join(directory, 'effects.parquet'),
      {
        feature: { type: 'int32', values: [1, 1, 2] },
        intervention: { type: 'string', values: ['ablate', 'ablate', 'ablate'] },
        control: { type: 'string', values: ['feature', 'random', 'feature'] },
        target: { type: 'float64', values: [-0.5, 0.125, 0] },
      },
      { schema: effectsSchema },
    )
  })
  const again = (['a', 'b'] as const).map(role => ({ role, run: 'tested', sha256: tested }))
  await makeRun(folder, 'drift', 'moved', { inputs: again }, directory => {
    const drift = madeUpDrift({ id: 'tested', stage: 'validate', sha256: tested })
    writeFileSync(join(directory, driftFile), JSON.stringify(drift))
  })
  const evidence = { role: 'evidence', run: 'tested', sha256: tested }
  await makeRun(folder, 'label', 'labelled', { inputs: [...inputs, evidence] }, async directory => {
    await writeFeatures(directory, madeUpFeatures)
    await writeJsonLines(join(directory, 'features.jsonl'), madeUpFeatures)
    await writeTable(
      join(directory, 'examples.parquet'),
      {
        latent: { type: 'int32', values: [2, 2] },
        group: { type: 'string', values: ['top', 'silent'] },
        window: { type: 'string', values: ['w', 'v'] },
        position: { type: 'int32', values: [1, 1] },
        start: { type: 'int32', values: [0, 0] },
        activation: { type: 'float32', values: [1, 0] },
        tokens: {
          type: 'list<string>',
          values: [
            ['a', '</mark><script>'],
            ['the ', 'red'],
          ],
        },
        activations: {
          type: 'list<float32>',
          values: [
            [0, 1],
            [0, 0],
          ],
        },
      },
      { schema: labelsSchema },
    )
  })
}
