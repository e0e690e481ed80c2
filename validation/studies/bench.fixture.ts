/** A bench for studies on a model and an SAE that a test planted, and what judging needs beside a study's rows. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silent } from '../../core/progress.ts'
import { memoryMetrics } from '../../core/stage.ts'
import { Working } from '../../core/working.ts'
import type { TokenDataset } from '../../datasets/document.ts'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import type { Model } from '../../model/model.ts'
import type { Sae } from '../../sae/sae.ts'
import { ValidateConfig } from '../config.ts'
import type { InterventionEvidence } from '../evidence.ts'
import { assemble } from '../judging/assemble.ts'
import { readText } from '../read-text.ts'
import { splitText } from '../splits.ts'
import { planLatents } from '../test-latents.ts'
import { keepsTheContract } from './study.contract.ts'
import type { LatentStudy, StudyContext, StudyRow, StudySettings, TestedLatent } from './study.ts'

const seed = 5

const folders: string[] = []
afterAll(() => Promise.all(folders.map(path => rm(path, { recursive: true, force: true }))))

/** What studies are given, with the claims of these settings; few controls and documents, which planted truth needs no more of. */
export async function benchOf(
  model: Model,
  sae: Sae,
  given: TokenDataset,
  settings: Readonly<Record<string, unknown>>,
): Promise<StudyContext> {
  const config = ValidateConfig.parse({
    documents: 8,
    tokens: 3000,
    bootstrap: 200,
    controls: { tied: 19, random: 19, foreign: 19 },
    shuffles: 99,
    ...settings,
  })
  const directory = await mkdtemp(join(tmpdir(), 'study-'))
  folders.push(directory)
  const context = { directory, seed, progress: silent, signal: new AbortController().signal, metrics: memoryMetrics() }
  const pause = async () => {}
  const text = await splitText({ dataset: given, config }, seed)
  const inputs = { model, sae, dataset: text.dataset, config }
  const { material, plans } = planLatents(inputs, await readText(context, inputs, text.windows))
  return { context, inputs, material, plans, working: new Working(directory), pause }
}

/** What judging is given beside rows. */
export function settingsOf({ inputs: { config } }: StudyContext): StudySettings {
  return { ...config, fields: [], strata: {}, seed }
}

/** What a study judges: every tested latent, with rows of the study's own. */
export type Tested<Asked> = Asked extends LatentStudy<infer Row> ? TestedLatent<Row>[] : never

/** Measures every planned latent with a study, as a run would; the main test is left out, but for the p of its tied controls. */
export async function testedBy<Row extends StudyRow>(
  study: LatentStudy<Row>,
  bench: StudyContext,
  tiedP = 0.01,
): Promise<TestedLatent<Row>[]> {
  const claims = bench.plans.map(({ claim }) => claim)
  const evidence = assemble(
    claims.map(claim => ({ claim, rows: [], selectivity: [], nullMaxima: [] })),
    settingsOf(bench),
  )
  const target = { controls: [{ control: 'tied', p: tiedP }] }
  const primary = { metrics: { target } } as unknown as InterventionEvidence
  const tested: TestedLatent<Row>[] = []
  for (const [i, plan] of bench.plans.entries()) {
    const judged = { ...evidence[i]!, [plan.claim.primary]: primary }
    tested.push({ claim: plan.claim, rows: await study.measure(bench, plan), effects: [], evidence: judged })
  }
  return tested
}

/** Settings for the contract suite, which are needed before anything is planted. */
export const contractSettings: StudySettings = {
  ...ValidateConfig.parse({ bootstrap: 200 }),
  fields: [],
  strata: {},
  seed,
}

/**
 * A study on a planted bench, measured and judged once before the tests of a file; the bench's model and SAE are disposed after
 * them. Adds the tests that every study has: no tensor is left behind, and the contract.
 */
export function studied<Row extends StudyRow, Found>(
  study: LatentStudy<Row, Found>,
  plant: () => Promise<StudyContext>,
) {
  const tested: TestedLatent<Row>[] = []
  let bench: StudyContext
  let found: readonly (Found | null)[]
  let leaks = 0
  beforeAll(async () => {
    await startEngine()
    bench = await plant()
    const before = tf.memory().numTensors
    tested.push(...(await testedBy(study, bench)))
    leaks = tf.memory().numTensors - before
    found = study.judge(tested, settingsOf(bench))
  })
  afterAll(() => {
    bench.inputs.model.dispose()
    bench.inputs.sae.dispose()
  })
  test('leaves no tensor behind', () => expect(leaks).toBe(0))
  describe('the contract of studies', () => keepsTheContract(study, tested, contractSettings))
  return {
    tested,
    bench: () => bench,
    /** What is found of a latent. */
    foundOf: (latent: number): Found => found[tested.findIndex(({ claim }) => claim.feature === latent)]!,
  }
}
