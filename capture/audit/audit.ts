/**
 * The audit of a capture (docs/capture.md): what its rows are worth as a sample. It is made when all shards are there, from
 * the plan of the draw and from the rows as they are stored, in their order, so that it does not depend on how they were
 * computed.
 */
import { InterruptedError } from '../../core/errors.ts'
import { Passes } from '../../core/passes.ts'
import { breathe, type StageContext } from '../../core/stage.ts'
import type { TokenDataset, TokenWindow } from '../../datasets/document.ts'
import type { CaptureAudit } from '../../datasets/shards/audit.ts'
import type { ShardRecord } from '../../datasets/shards/index.ts'
import { unitPlaceOf } from '../../datasets/unit.ts'
import { pairedDetectable } from '../../statistics/power/t-power.ts'
import type { CaptureConfig } from '../config.ts'
import type { CapturedSite } from '../forward.ts'
import type { Sampling } from '../manifest.ts'
import { type Moments, statisticsOf } from '../statistics.ts'
import { countTokens } from './count.ts'
import { documentAudit } from './documents.ts'
import { drawOf, fieldAudit } from './draw.ts'
import { EffectiveSizes } from './effective.ts'
import { level, SiteEstimates } from './estimates.ts'
import { NormFences } from './outliers.ts'
import { storedRows } from './stored.ts'

/** Fewer documents than this never pass a test. */
const fewestDocuments = 5
/** An effect that is larger than this is rare (Cohen 1988 calls .8 large). */
const largeEffect = 0.8
const mostMissing = 10

export interface AuditInputs {
  readonly dataset: TokenDataset
  readonly vocabulary: number
  readonly config: CaptureConfig
  readonly sampling: Sampling
  readonly sites: readonly CapturedSite[]
  readonly shards: readonly ShardRecord[]
  /** Moments of the rows, by site. */
  readonly moments: readonly Moments[]
  /** Moments of all tokens sampled from, by site; null where no full pass was done. */
  readonly population: readonly Moments[] | null
}

/** Audits the shards in `context.directory`. */
export async function audit(
  context: Pick<StageContext, 'directory' | 'progress' | 'signal'>,
  inputs: AuditInputs,
): Promise<CaptureAudit> {
  const { dataset, config, sampling, population } = inputs
  const { strata, probabilities, samples: rows } = sampling
  const stop = () => stopAudit(context.signal)
  const passes = new Passes(context.progress, stop)
  const counted = await countTokens(dataset, config, sampling, passes)
  const documents = await documentAudit(dataset, counted, config.audit.nearDuplicate, passes)
  passes.end()
  const { sites, sizes } = await auditSites(context, inputs, documents.families, stop)
  const weights = rows.reduce((sum, count, i) => sum + count / probabilities[i]!, 0)
  const squares = rows.reduce((sum, count, i) => sum + count / probabilities[i]! ** 2, 0)
  const detectable = detectableOf()
  return {
    level,
    fullPass: population !== null,
    effectiveSize: weights ** 2 / squares,
    draw: drawOf(strata.population, probabilities, rows),
    strata: sizes.map(({ documents, effectiveSize }, index) => {
      const effect = detectable(documents)
      return {
        index,
        expected: strata.population[index]! * probabilities[index]!,
        ...{ documents, effectiveSize },
        detectable: effect,
        thin: effect === null || effect > largeEffect,
      }
    }),
    fields: [...counted.fields].map(([field, values]) => fieldAudit(field, values)),
    vocabulary: vocabularyAudit(counted.tokens, inputs.vocabulary),
    documents: documents.audit,
    sites,
  }
}

/** Throws an `InterruptedError` once the signal is aborted. */
function stopAudit({ aborted }: AbortSignal): void {
  if (aborted)
    throw new InterruptedError('The audit of the capture was interrupted.', { fix: 'Start it again to go on.' })
}

/** The sites' audits, and documents and effective size of each stratum: the least over the sites. */
async function auditSites(
  { directory, progress }: Pick<StageContext, 'directory' | 'progress'>,
  { dataset, sampling, sites, shards, moments, population }: AuditInputs,
  families: Uint32Array,
  stop: () => void,
) {
  const { probabilities } = sampling
  const everything = probabilities.every(rate => rate === 1)
  // Rows of a window stand together.
  let last: { index: number; id: string; unit: string; family: number } | undefined
  const windowAt = (index: number) => {
    if (last?.index === index) return last
    const window = windowOf(dataset, index)
    const place = unitPlaceOf(dataset, window)
    const unit = place === null ? window.id : dataset.documents.at(place)!.id
    last = { index, id: window.id, unit, family: place === null ? 0 : families[place]! }
    return last
  }
  const audits = moments.map(own => {
    const mean = statisticsOf(own).populationMean
    return {
      estimates: new SiteEstimates(mean),
      sizes: new EffectiveSizes(mean, probabilities.length),
      fences: new NormFences(),
    }
  })
  const largest = shards.reduce((rows, shard) => Math.max(rows, shard.rows), 0)
  const into = sites.map(({ width }) => new Float32Array(largest * width))
  progress.start('Auditing', shards.length, 'shards')
  for (const [done, shard] of shards.entries()) {
    const stored = await storedRows(directory, shard, sites, into)
    for (const [s, { width }] of sites.entries()) {
      const { estimates, sizes, fences } = audits[s]!
      for (let row = 0; row < shard.rows; row++) {
        const stratum = stored.stratum[row]!
        const at = row * width
        const index = stored.document[row]!
        const norm = estimates.add(stored.sites[s]!, at, probabilities[stratum]!)
        sizes.add(stratum, windowAt(index), stored.sites[s]!, at)
        fences.add(norm, () => {
          const [position, token] = [stored.position[row]!, stored.token[row]!]
          return { window: windowAt(index).id, position, token, stratum }
        })
        if (row % 4096 === 0) await breathe().then(stop)
      }
    }
    progress.update(done + 1)
  }
  progress.finish()
  const sizes = audits.map(({ sizes }) => sizes.result())
  return {
    sites: sites.map(({ name }, s) => {
      const { estimates, fences } = audits[s]!
      // A capture of every token is its own full pass.
      const full = population ? population[s]! : everything ? moments[s]! : null
      return { name, ...estimates.result(full), outliers: fences.result() }
    }),
    sizes: sizes[0]!.map(({ documents }, stratum) => {
      const own = sizes.map(site => site[stratum]!.effectiveSize)
      return { documents, effectiveSize: own.includes(null) ? null : Math.min(...(own as number[])) }
    }),
  }
}

/** The window with an index: at that place, but in a dataset of which some windows were taken out. */
function windowOf({ windows }: TokenDataset, index: number): TokenWindow {
  const there = windows.at(index)
  if (there?.index === index) return there
  for (const window of windows) if (window.index === index) return window
  throw new Error(`There is no window ${index}.`)
}

/** Smallest d_z that a test over so many documents finds with power .8; null where none can pass. */
function detectableOf(): (documents: number) => number | null {
  const known = new Map<number, number | null>()
  return documents => {
    const found = known.get(documents)
    if (found !== undefined) return found
    const effect = documents < fewestDocuments ? null : pairedDetectable(documents)
    known.set(documents, effect)
    return effect
  }
}

function vocabularyAudit(
  tokens: Awaited<ReturnType<typeof countTokens>>['tokens'],
  model: number,
): CaptureAudit['vocabulary'] {
  const missing: { token: number; population: number }[] = []
  let [population, covered, rows] = [0, 0, 0]
  for (const [token, counts] of tokens) {
    population += counts.population
    if (counts.rows > 0) {
      rows++
      covered += counts.population
    } else missing.push({ token, population: counts.population })
  }
  missing.sort((a, b) => b.population - a.population || a.token - b.token)
  return {
    ...{ model, population: tokens.size, rows },
    coverage: covered / population,
    missing: missing.slice(0, mostMissing),
  }
}
