import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silent } from '../../core/progress.ts'
import { memoryMetrics } from '../../core/stage.ts'
import { startEngine } from '../../engine/engine.ts'
import { fakeDataset, fakeModel, fakeSae } from '../../latents/fake.fixture.ts'
import { ValidateConfig } from '../config.ts'
import { readEffects } from '../effects-table.ts'
import { type Evidence, readEvidence } from '../evidence.ts'
import { verifyEvidence } from '../recompute.ts'
import { validate } from '../validate.ts'
import { readStudies } from './run.ts'
import { keepsTheContract } from './study.contract.ts'
import type { TestedLatent } from './study.ts'
import { type TransferRow as Row, transfer } from './transfer.ts'

let directory: string
let evidence: Evidence
let tested: TestedLatent<Row>[] = []
const config = ValidateConfig.parse({
  ...{ latents: [0, 1], documents: 8, bootstrap: 200, tokens: 4000, maxTokens: 1000 },
  ...{
    outOfDistribution: { strata: { half: ['odd'] } },
    controls: { tied: 19, random: 19, foreign: 19 },
    shuffles: 99,
  },
})
const settings = { ...config, fields: [], strata: {}, seed: 3 }

beforeAll(async () => {
  await startEngine()
  directory = await mkdtemp(join(tmpdir(), 'transfer-'))
  const [model, sae] = [fakeModel(), fakeSae()]
  const context = {
    directory,
    seed: 3,
    progress: silent,
    signal: new AbortController().signal,
    metrics: memoryMetrics(),
  }
  await validate(context, { model, sae, dataset: fakeDataset(240), config })
  model.dispose()
  sae.dispose()
  evidence = await readEvidence(join(directory, 'evidence.json'))
  const rows = (await readStudies(directory, evidence)).transfer as unknown as readonly (Row & { feature: number })[]
  const effects = await readEffects(directory)
  tested = evidence.features.map(one => ({
    claim: one.claim,
    rows: rows.flatMap(({ feature, ...row }) => (feature === one.claim.feature ? [row as unknown as Row] : [])),
    effects: effects.of(one.claim.feature),
    evidence: one,
  }))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

describe('transfer of planted latents', () => {
  test('is found on documents of the other stratum, with a ratio about 1', async () => {
    for (const { studies } of evidence.features) {
      const found = studies.transfer!
      expect(found.verdict).toBe('pass')
      expect(found.effect.documents).toBe(8)
      expect(found.ratioLow).toBeLessThan(1)
      expect(found.ratioHigh).toBeGreaterThan(1)
      expect(found.ratio).toBeGreaterThan(0.7)
    }
    for (const { rows } of tested) for (const { document } of rows) expect(Number(document.split('-')[1]) % 2).toBe(1)
    expect(await verifyEvidence(directory)).toEqual([])
  })

  test('fails where the same edits do nothing there, and is not run on two documents', () => {
    const [one] = tested
    const nothing = one!.rows.map(row => ({ ...row, target: 0.01 * row.target }))
    const judged = transfer.judge([{ ...one!, rows: nothing }], settings)[0]!
    expect(judged.verdict).toBe('fail')
    expect(Math.abs(judged.ratio!)).toBeLessThan(0.2)
    const few = [...new Set(one!.rows.map(({ document }) => document))].slice(0, 2)
    const cut = one!.rows.filter(({ document }) => few.includes(document))
    expect(transfer.judge([{ ...one!, rows: cut }], settings)[0]).toMatchObject({ verdict: 'not-run', low: null })
  })

  test('is the hand-made share of the difference on validation text', () => {
    const [one] = tested
    // Every value of the main test's own rows, so that both sides are equal.
    const same = one!.effects
      .filter(
        ({ intervention, control }) => intervention === 'ablate' && ['feature', 'random', 'foreign'].includes(control),
      )
      .map(({ feature: _, ...row }) => row as unknown as Row)
    const judged = transfer.judge([{ ...one!, rows: same }], settings)[0]!
    expect(judged.ratio).toBeCloseTo(1, 12)
    expect(judged.difference).toBeCloseTo(judged.validation.difference!, 12)
  })
})

describe('the contract of studies', () => {
  const filled: TestedLatent<Row>[] = []
  beforeAll(() => void filled.push(...tested))
  keepsTheContract(transfer, filled, settings)
})
