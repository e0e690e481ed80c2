/** Holds evidence to its tables: every statistic and verdict computed again from the raw values. */
import { join } from 'node:path'
import { canonicalJson } from '../../core/hash.ts'
import { ValidateConfig } from '../config.ts'
import { type Evidence, type FeatureEvidence, readEvidence } from '../evidence.ts'
import type { EffectRow, SelectivityRow } from '../rows.ts'
import { readEffects, readSelectivity } from '../tables.ts'
import { assemble } from './assemble.ts'

/** The features' evidence as the raw rows give it. */
export function recompute(
  evidence: Evidence,
  effects: readonly EffectRow[],
  selectivity: readonly SelectivityRow[],
): FeatureEvidence[] {
  const config = ValidateConfig.parse(evidence.config)
  return assemble(
    evidence.features.map(({ claim, selectivity: found }) => ({
      claim,
      rows: effects.filter(row => row.feature === claim.feature),
      selectivity: selectivity.filter(row => row.feature === claim.feature),
      nullMaxima: found?.nullMaxima ?? [],
    })),
    { ...config, fields: config.robustness ?? [], strata: evidence.strata, seed: evidence.seed },
  )
}

/** Reads a validate run's files and lists, as dotted paths, every value that the tables do not give again; [] when all do. */
export async function verifyEvidence(directory: string): Promise<string[]> {
  const evidence = await readEvidence(join(directory, 'evidence.json'))
  const again = recompute(evidence, await readEffects(directory), await readSelectivity(directory))
  return differences(evidence.features, again, 'features')
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
