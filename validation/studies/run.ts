/** Does the studies that settings ask for, keeps their rows in tables, and judges rows that were kept. */
import { join } from 'node:path'
import type { ValidateConfig } from '../config.ts'
import type { LatentFindings, SaeFindings } from '../contracts/index.ts'
import type { Evidence, FeatureEvidence } from '../evidence.ts'
import type { EffectRow } from '../rows.ts'
import { type RowColumns, readRows, writeRows } from '../tables.ts'
import { latentStudies, saeStudies } from './index.ts'
import type { StudyContext, StudyRow, StudySettings } from './study.ts'

/** Rows of the studies that were done, by name. Those of latents have the column `feature`. */
export type StudyRows = Readonly<Record<string, readonly StudyRow[]>>

/** A feature's raw effects and its evidence, in the order of evidence.json. */
export interface Judged {
  readonly effects: readonly EffectRow[]
  readonly evidence: FeatureEvidence
}

const isAsked = ({ studies }: Pick<ValidateConfig, 'studies'>, name: string, byDefault: boolean): boolean =>
  studies === 'all' || (studies === 'auto' ? byDefault : studies.includes(name))

const withFeature = (columns: RowColumns): RowColumns => ({ feature: 'int32', ...columns })

/** Measures what the settings ask for; parts are kept by study and latent. */
export async function measureStudies(bench: StudyContext): Promise<StudyRows> {
  return { ...(await measureLatentStudies(bench)), ...(await measureSaeStudies(bench)) }
}

/** Measures the studies of latents that the settings ask for. */
export async function measureLatentStudies(bench: StudyContext): Promise<StudyRows> {
  const { context, inputs, plans, working, pause } = bench
  const found: Record<string, readonly StudyRow[]> = {}
  for (const { name, byDefault, columns, measure } of latentStudies) {
    if (!isAsked(inputs.config, name, byDefault)) continue
    const rows: StudyRow[] = []
    if (Object.keys(columns).length > 0) {
      context.progress.start(`Study ${name}`, plans.length, 'latents')
      for (const [i, plan] of plans.entries()) {
        await pause()
        const { feature } = plan.claim
        const own = await working.part(`study-${name}-${feature}`, () => measure(bench, plan))
        for (const row of own) rows.push({ feature, ...row })
        context.progress.update(i + 1)
      }
      context.progress.finish()
    }
    found[name] = rows
  }
  return found
}

/** Names of the studies of an SAE that the settings ask for. */
export function askedSaeStudies(config: Pick<ValidateConfig, 'studies'>): string[] {
  return saeStudies.filter(({ name, byDefault }) => isAsked(config, name, byDefault)).map(({ name }) => name)
}

/** Measures studies of the SAE, by default those that the settings ask for. */
export async function measureSaeStudies(
  bench: StudyContext,
  names: readonly string[] = askedSaeStudies(bench.inputs.config),
): Promise<StudyRows> {
  const found: Record<string, readonly StudyRow[]> = {}
  for (const { name, measure } of saeStudies) {
    if (!names.includes(name)) continue
    await bench.pause()
    found[name] = await bench.working.part(`study-${name}`, () => measure(bench))
  }
  return found
}

/** What the studies that were done say: of each feature, and of the SAE. */
export function judgeStudies(
  rows: StudyRows,
  judged: readonly Judged[],
  settings: StudySettings,
): { readonly latents: readonly LatentFindings[]; readonly sae: SaeFindings } {
  const latents = judged.map((): Record<string, unknown> => ({}))
  const sae: Record<string, unknown> = {}
  const seen = judged.map(one => ({
    claim: one.evidence.claim,
    get effects() {
      return one.effects
    },
    evidence: one.evidence,
  }))
  for (const { name, judge } of latentStudies) {
    if (!(name in rows)) continue
    const byFeature = rowsByFeature(rows[name]!)
    const tested = seen.map(one => ({
      claim: one.claim,
      // A spread would make the rows of all latents at once.
      get effects() {
        return one.effects
      },
      evidence: one.evidence,
      rows: byFeature.get(one.claim.feature) ?? [],
    }))
    judge(tested, settings).forEach((found, i) => {
      latents[i]![name] = found
    })
  }
  for (const { name, judge } of saeStudies) if (name in rows) sae[name] = judge(rows[name]!, seen, settings)
  return { latents: latents as LatentFindings[], sae: sae as SaeFindings }
}

function rowsByFeature(rows: readonly StudyRow[]): Map<number, StudyRow[]> {
  const found = new Map<number, StudyRow[]>()
  for (const { feature, ...row } of rows) {
    const own = found.get(feature as number)
    if (own) own.push(row)
    else found.set(feature as number, [row])
  }
  return found
}

/** What the numbers of the studies that were done mean, as `study.number`. */
export function definitionsOf(rows: StudyRows): Record<string, string> {
  return Object.fromEntries(
    [...latentStudies, ...saeStudies]
      .filter(({ name }) => name in rows)
      .flatMap(({ name, definitions }) => Object.entries(definitions).map(([key, text]) => [`${name}.${key}`, text])),
  )
}

const fileOf = (name: string) => `study-${name}.parquet`

/** Writes a table for each study that measured something. */
export async function writeStudies(directory: string, rows: StudyRows): Promise<void> {
  for (const [name, columns] of tablesOf(Object.keys(rows)))
    await writeRows(join(directory, fileOf(name)), columns, rows[name]!)
}

/** Reads back the rows of the studies that the evidence has findings of. */
export async function readStudies(
  directory: string,
  evidence: Pick<Evidence, 'features' | 'studies'>,
): Promise<StudyRows> {
  const names = [
    ...new Set([...evidence.features.flatMap(({ studies }) => Object.keys(studies)), ...Object.keys(evidence.studies)]),
  ]
  const tables = new Map(tablesOf(names))
  const found: Record<string, readonly StudyRow[]> = {}
  for (const name of names) {
    const columns = tables.get(name)
    found[name] = columns ? await readRows<StudyRow>(join(directory, fileOf(name)), columns) : []
  }
  return found
}

/** Columns of the tables of those studies that have any. */
function tablesOf(names: readonly string[]): [string, RowColumns][] {
  return [
    ...latentStudies.map(({ name, columns }) => [name, withFeature(columns), columns] as const),
    ...saeStudies.map(({ name, columns }) => [name, columns, columns] as const),
  ]
    .filter(([name, , own]) => names.includes(name) && Object.keys(own).length > 0)
    .map(([name, columns]) => [name, columns])
}
