/** Holds evidence to its tables: every statistic and verdict computed again from the raw values. */
import { join } from 'node:path'
import { z } from 'zod'
import { canonicalJson } from '../core/hash.ts'
import { quote } from '../core/quote.ts'
import { reconstructionDefinitions } from '../latents/reconstruction-rows.ts'
import { ValidateConfig } from './config.ts'
import type { Effects } from './effects.ts'
import { readEffects } from './effects-table.ts'
import { definitions, type Evidence, readEvidence } from './evidence.ts'
import { type Judgement, judge } from './judge.ts'
import { judgeReconstruction, reconstructionPartDefinitions } from './judging/reconstruction.ts'
import { readReconstruction } from './reconstruct.ts'
import type { SelectivityRow } from './rows.ts'
import { definitionsOf, readStudies, type StudyRows } from './studies/run.ts'
import { readSelectivity } from './tables.ts'

/** The findings as the raw rows give them. */
export function recompute(
  evidence: Evidence,
  effects: Effects,
  selectivity: readonly SelectivityRow[],
  studied: StudyRows,
): Judgement {
  const config = ValidateConfig.parse(evidence.config)
  const selectivityRows = byFeature(selectivity)
  return judge(
    evidence.features.map(({ claim, selectivity: found }) => ({
      claim,
      get rows() {
        return effects.of(claim.feature)
      },
      selectivity: selectivityRows.get(claim.feature) ?? [],
      nullMaxima: found?.nullMaxima ?? [],
    })),
    studied,
    { ...config, fields: config.robustness ?? [], strata: evidence.strata, seed: evidence.seed },
  )
}

/** What a run's tables give again. */
export interface Findings extends Judgement {
  readonly reconstruction: unknown
  readonly definitions: Readonly<Record<string, string>>
  /** Windows of tables that are not of the split that was measured on. */
  readonly strangers: readonly string[]
}

/** Reads a validate run's tables and makes all of its findings again. */
export async function recomputeFrom(directory: string, evidence: Evidence): Promise<Findings> {
  const studied = await readStudies(directory, evidence)
  const effects = await readEffects(directory)
  const selectivity = await readSelectivity(directory)
  const { validation, outOfDistribution } = evidence.splits
  return {
    ...recompute(evidence, effects, selectivity, studied),
    reconstruction: await reconstructionOf(directory, evidence),
    definitions: {
      ...definitions,
      ...reconstructionDefinitions,
      ...reconstructionPartDefinitions,
      ...definitionsOf(studied),
    },
    strangers: [
      ...strangersOf('effects.parquet', effects.places(), validation),
      ...strangersOf('selectivity.parquet', selectivity, validation),
      ...strangersOf('study-transfer.parquet', studied.transfer ?? [], outOfDistribution),
    ],
  }
}

/** The figures of the reconstruction as its table gives them; sizes and where the mean is from are stated. */
async function reconstructionOf(directory: string, { reconstruction, seed }: Evidence): Promise<unknown> {
  const { density, width, meanFrom } = Stated.parse(reconstruction)
  const rows = await readReconstruction(directory)
  return judgeReconstruction(rows, { latents: density.length, width, meanFrom }, seed)
}

const Stated = z.looseObject({ density: z.array(z.number()), width: z.int().min(1), meanFrom: z.string() })

/** The first windows of a table that are not of these. */
function strangersOf(table: string, rows: Iterable<{ readonly window?: unknown }>, split: readonly string[]): string[] {
  const known = new Set<unknown>(split)
  const found = new Set<string>()
  for (const { window } of rows) if (!known.has(window)) found.add(String(window))
  return [...found].slice(0, 10).map(window => `${table}: window ${quote(window)}`)
}

function byFeature<Row extends { readonly feature: number }>(rows: readonly Row[]): Map<number, Row[]> {
  const found = new Map<number, Row[]>()
  for (const row of rows) {
    const own = found.get(row.feature)
    if (own) own.push(row)
    else found.set(row.feature, [row])
  }
  return found
}

/** Reads a validate run's files and lists, as dotted paths, every value that the tables do not give again; [] when all do. */
export async function verifyEvidence(directory: string): Promise<string[]> {
  const evidence = await readEvidence(join(directory, 'evidence.json'))
  const again = await recomputeFrom(directory, evidence)
  return [
    ...differences(evidence.features, again.features, 'features'),
    ...differences(evidence.studies, again.studies, 'studies'),
    ...differences(evidence.reconstruction, again.reconstruction, 'reconstruction'),
  ]
}

/** Paths at which two plain values differ. */
export function differences(a: unknown, b: unknown, path: string): string[] {
  if (a !== null && b !== null && typeof a === 'object' && typeof b === 'object') {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)])
    return [...keys].flatMap(key =>
      differences((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], `${path}.${key}`),
    )
  }
  return canonicalJson(a) === canonicalJson(b) ? [] : [path]
}
