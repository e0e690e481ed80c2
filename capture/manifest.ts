/** What a capture says of itself: the content of `capture.json`. */
import { nameOfPath } from '../core/files.ts'
import { paced } from '../core/pace.ts'
import { Passes } from '../core/passes.ts'
import type { TokenDataset } from '../datasets/document.ts'
import type { CaptureAudit } from '../datasets/shards/audit.ts'
import type { CaptureManifest, ShardRecord, WindowsRecord } from '../datasets/shards/index.ts'
import type { Model } from '../model/model.ts'
import type { CaptureConfig } from './config.ts'
import type { CapturedSite } from './forward.ts'
import type { Pilot } from './pilot.ts'
import type { Selection } from './sampling.ts'
import { type Moments, statisticsOf } from './statistics.ts'
import { excludedTokens, type Strata } from './strata.ts'

/** How the tokens of a capture were chosen. */
export interface Sampling {
  readonly strata: Strata
  readonly probabilities: readonly number[]
  readonly selected: Selection
  /** Rows of each stratum. */
  readonly samples: readonly number[]
  /** What rows were divided by, for Neyman's allocation; null for the others. */
  readonly pilot: Pilot | null
}

export interface ManifestInputs {
  readonly model: Model
  readonly dataset: TokenDataset
  readonly config: CaptureConfig
  readonly sites: readonly CapturedSite[]
  readonly sampling: Sampling
  readonly seed: number
}

/**
 * The manifest; `shards` and in their order, `moments` of all rows by site. `passes` tells of the pass that counts windows.
 */
export async function manifestOf(
  { model, dataset, config, sites, sampling, seed }: ManifestInputs,
  shards: readonly ShardRecord[],
  moments: readonly Moments[],
  windowsTable: WindowsRecord,
  audit: CaptureAudit,
  passes = new Passes(),
): Promise<CaptureManifest> {
  const { strata, probabilities, samples, pilot } = sampling
  const windows: Record<string, number> = { train: 0, discovery: 0, validation: 0, outOfDistribution: 0 }
  let [bos, longest] = [false, 0]
  for await (const { split, tokens, offsets } of paced(
    dataset.windows,
    passes.over(dataset.windows.length, 'windows', 'Counting'),
  )) {
    windows[split]!++
    bos ||= offsets.includes(-1)
    longest = Math.max(longest, tokens.length)
  }
  return {
    schema: 3,
    model: { name: nameOfPath(model.path), hash: model.hash, family: model.config.family },
    weight_processing: 'none',
    tokenizer: { hash: dataset.tokenizerHash },
    dataset: {
      name: dataset.name,
      hash: dataset.hash,
      context: dataset.config?.context ?? longest,
      bos,
      // Where the text lies is no part of what the capture is.
      ...(dataset.config && { config: { ...dataset.config, path: dataset.name } }),
      documents: dataset.documents.length,
      skipped: [...(dataset.skipped ?? [])],
      ...(dataset.unchecked && dataset.unchecked.length > 0 && { unchecked: [...dataset.unchecked] }),
      windows,
    },
    seed,
    format: config.format,
    dtype: config.dtype,
    rows: samples.reduce((sum, count) => sum + count, 0),
    batchRows: config.batchRows,
    sites: sites.map(({ name, width }, i) => ({
      name,
      width,
      statistics: statisticsOf(moments[i]!),
    })),
    sampling: {
      fields: [...config.strata],
      allocation: config.allocation,
      tokens: config.tokens ?? null,
      pilot: pilot && { rows: pilot.rows, spreads: [...pilot.spreads] },
      excludePositions: [...config.excludePositions],
      excludeTokens: excludedTokens(dataset, config),
      positionBands: [...config.positionBands],
      frequencyBands: [...config.frequencyBands],
      population: strata.population.reduce((sum, count) => sum + count, 0),
      strata: strata.values.map((values, index) => ({
        index,
        values,
        population: strata.population[index]!,
        sample: samples[index]!,
        probability: probabilities[index]!,
      })),
    },
    audit,
    shards: [...shards],
    windows: windowsTable,
  }
}

/** JSON of a manifest, indented, with lists of numbers on one line each. */
export function manifestJson(manifest: CaptureManifest): string {
  const oneLine = (list: string) => (list.includes('\n') ? `[${list.slice(1, -1).trim().replace(/\s+/g, ' ')}]` : list)
  return `${JSON.stringify(manifest, null, 2).replace(/\[[^[\]{}"]*\]/g, oneLine)}\n`
}
