/** The stage drift: two finished runs of one kind compared, and held to thresholds. */

import { join } from 'node:path'
import { z } from 'zod'
import { writeJson } from '../../core/files.ts'
import { atMost } from '../../core/gate.ts'
import { type Drift, driftFile, readDrift } from '../../runs/drift.ts'
import { firstFigures } from '../../runs/first-figures.ts'
import type { FinishedRun } from '../../runs/run.ts'
import { contentHash } from '../../runs/seal.ts'
import { type Compared, comparedRuns, type Differences, differencesOf } from './compared.ts'
import { runAsInput } from './found.ts'
import { reading } from './reading.ts'
import { defineStage, ownConfig } from './stage.ts'

const inputs = {
  a: z.string().describe('The run to compare with: its id, or its directory'),
  b: z.string().describe('The other run'),
  sae: z.string().optional().describe('Compare how often the latents of this SAE fire in two captures'),
}

const DriftConfig = z.strictObject({
  documents: z.int().min(5).max(2000).default(100).describe('Documents of each run in a cell, at most'),
  draws: z.int().min(99).default(999).describe('Labellings of the documents that p-values are made of'),
  alpha: z.number().gt(0).lt(1).default(0.01).describe('Probability of any false alarm, over the whole family'),
})
type DriftConfig = z.output<typeof DriftConfig>

/** Thresholds that a comparison is held to. */
const DriftGates = z
  .strictObject({
    maximumDrifted: z.int().min(0).optional().describe('Most cells that may have drifted'),
    maximumComposition: z
      .number()
      .min(0)
      .optional()
      .describe('Largest stability index of the populations over the strata'),
  })
  .prefault({})
  .describe('Thresholds that set the exit code: 2 where one fails, 3 where nothing could be tested')

const WholeConfig = DriftConfig.extend(inputs)

/** The result of a drift run, held to its manifest. */
export const driftOfRun = (run: FinishedRun): Promise<Drift> =>
  reading({ ...run, run }, [driftFile], () => readDrift(join(run.directory, driftFile)))

export default defineStage({
  stage: 'drift',
  about:
    'Tells whether two captures, two SAEs or two validate runs of one SAE are of one distribution, by site and stratum or by latent, over documents, with p-values of the whole family.',
  config: DriftConfig,
  inputs,
  judged: { gates: DriftGates },
  figures: firstFigures.drift,
  float32Only: true,
  async prepare(config, store) {
    const settings = ownConfig(WholeConfig, config)
    const compared = await comparedRuns(store, settings)
    const { runs, saes, captures = [] } = compared
    const named = settings.sae === undefined ? [] : saes
    // Captures that SAEs were trained on are read beside these, and are inputs where they are not the runs themselves.
    const read = captures.filter(run => !runs.includes(run))
    return {
      // The file names the runs, so their names are part of what its bytes depend on.
      config: { ...settings, shows: runs.map(({ manifest }) => manifest.id) },
      inputs: [
        ...runs.map((run, i) => runAsInput(run, 'ab'[i]!).input),
        ...named.map(({ input }) => input),
        ...read.map((run, i) => runAsInput(run, `capture-${'ab'[i]!}`).input),
      ],
      needsEngine: saes.length > 0,
      async work({ directory, seed, progress, signal }) {
        const { documents, draws } = settings
        const found = await differencesOf(compared, { documents, draws, seed }, { progress, signal })
        const drift = judged(compared, found, settings, seed)
        await writeJson(join(directory, driftFile), drift)
        const { kind, drifted, tested, composition } = drift
        return { kind, drifted, tested, composition }
      },
    }
  },
  async judge(run, config) {
    const { drifted, tested, composition } = await driftOfRun(run)
    const { maximumDrifted, maximumComposition } = DriftGates.parse(config.gates)
    return {
      gates: [
        ...atMost('maximumDrifted', maximumDrifted, tested > 0 ? drifted : null),
        ...atMost('maximumComposition', maximumComposition, composition),
      ],
    }
  },
})

/** The comparison with its verdict: which cells drifted. */
function judged({ kind, runs }: Compared, found: Differences, settings: DriftConfig, seed: number): Drift {
  const { alpha, draws } = settings
  const cells = found.cells.map(cell => ({
    ...cell,
    drifted: cell.measures.some(({ adjusted }) => adjusted !== null && adjusted <= alpha),
  }))
  const tests = cells.flatMap(({ measures }) => measures).filter(({ adjusted }) => adjusted !== null)
  const drifted = cells.filter(cell => cell.drifted).length
  const tested = cells.filter(({ measures }) => measures.some(({ adjusted }) => adjusted !== null)).length
  const [a, b] = runs.map(({ manifest }) => ({
    ...{ id: manifest.id, stage: manifest.stage, sha256: contentHash(manifest) },
  })) as [Drift['a'], Drift['b']]
  return {
    ...{ schema: 2, kind, a, b, alpha, seed, draws },
    family: { method: 'max-T over relabelled documents (Westfall and Young 1993)', size: tests.length },
    definitions: found.definitions,
    notes: [...found.notes],
    composition: found.composition,
    ...{ cells, drifted, tested },
  }
}
