/** Holds evidence to its tables: every statistic and verdict computed again from the raw values. */
import { join } from 'node:path'
import { canonicalJson } from '../core/hash.ts'
import { ValidateConfig } from './config.ts'
import { type Evidence, readEvidence } from './evidence.ts'
import { type Judgement, judge } from './judge.ts'
import type { EffectRow, SelectivityRow } from './rows.ts'
import { readStudies, type StudyRows } from './studies/run.ts'
import { readEffects, readSelectivity } from './tables.ts'

/** The findings as the raw rows give them. */
export function recompute(
  evidence: Evidence,
  effects: readonly EffectRow[],
  selectivity: readonly SelectivityRow[],
  studied: StudyRows,
): Judgement {
  const config = ValidateConfig.parse(evidence.config)
  return judge(
    evidence.features.map(({ claim, selectivity: found }) => ({
      claim,
      rows: effects.filter(row => row.feature === claim.feature),
      selectivity: selectivity.filter(row => row.feature === claim.feature),
      nullMaxima: found?.nullMaxima ?? [],
    })),
    studied,
    { ...config, fields: config.robustness ?? [], strata: evidence.strata, seed: evidence.seed },
  )
}

/** Reads a validate run's files and lists, as dotted paths, every value that the tables do not give again; [] when all do. */
export async function verifyEvidence(directory: string): Promise<string[]> {
  const evidence = await readEvidence(join(directory, 'evidence.json'))
  const studied = await readStudies(directory, evidence)
  const again = recompute(evidence, await readEffects(directory), await readSelectivity(directory), studied)
  return [
    ...differences(evidence.features, again.features, 'features'),
    ...differences(evidence.studies, again.studies, 'studies'),
  ]
}

/** Paths at which two plain values differ. */
function differences(a: unknown, b: unknown, path: string): string[] {
  if (a !== null && b !== null && typeof a === 'object' && typeof b === 'object') {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)])
    return [...keys].flatMap(key =>
      differences((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], `${path}.${key}`),
    )
  }
  return canonicalJson(a) === canonicalJson(b) ? [] : [path]
}
