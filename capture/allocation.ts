/**
 * How many rows each stratum gives: n_h = min(N_h, c·m_h), with the one c for which the expected rows add up to what was
 * asked for. m_h is the stratum's measure, N_h its population:
 *
 *   proportional  m = N           the same rate everywhere
 *   equal         m = 1           as many of each
 *   square-root   m = √N          between the two (power allocation with exponent ½: Bankier 1988)
 *   neyman        m = N·S         least variance of the stratified mean for so many rows, S the stratum's spread
 *                                 (Neyman 1934; Cochran 1977, §5.5)
 *   counts        n_h as given
 */
import { UserError } from '../core/errors.ts'
import type { CaptureConfig } from './config.ts'
import type { Strata } from './strata.ts'

/** Refuses settings of the allocation that would do nothing, or that lack what they need. */
export function checkAllocation({ allocation, tokens, counts, pilotTokens }: CaptureConfig): void {
  if (allocation === 'counts' && !counts)
    throw new UserError('allocation is counts, but counts is not set.', {
      fix: 'List the rows of every stratum in counts.',
    })
  if (allocation !== 'counts' && counts)
    throw new UserError(`counts is set, but allocation is ${allocation}.`, {
      fix: 'Set allocation to counts, or leave counts out.',
    })
  if (allocation === 'counts' && tokens !== undefined)
    throw new UserError(`tokens is ${tokens}, but with allocation counts the rows are what counts add up to.`, {
      fix: 'Leave tokens out.',
    })
  if (allocation !== 'counts' && allocation !== 'proportional' && tokens === undefined)
    throw new UserError(`allocation is ${allocation}, but tokens is not set, so that every token is taken.`, {
      fix: 'Set tokens, or leave allocation out.',
    })
  if (allocation !== 'neyman' && pilotTokens !== undefined)
    throw new UserError(`pilotTokens is ${pilotTokens}, but allocation is ${allocation}, which needs no pilot.`, {
      fix: 'Set allocation to neyman, or leave pilotTokens out.',
    })
}

/**
 * Inclusion probability of each stratum, above 0 and at most 1. `spreads` are the strata's, for allocation neyman. Throws
 * a `UserError` for counts that name no stratum, one twice or too few tokens, and for strata without a count.
 */
export function inclusionProbabilities(
  { values, population }: Pick<Strata, 'values' | 'population'>,
  config: Pick<CaptureConfig, 'allocation' | 'tokens' | 'counts'>,
  spreads: readonly number[] = [],
): number[] {
  if (config.allocation === 'counts') return givenProbabilities(values, population, config.counts ?? [])
  const { tokens, allocation } = config
  const total = population.reduce((sum, count) => sum + count, 0)
  if (tokens === undefined || tokens >= total) return population.map(() => 1)
  const measures = {
    proportional: population,
    equal: population.map(() => 1),
    'square-root': population.map(Math.sqrt),
    neyman: population.map((count, i) => count * spreads[i]!),
  }[allocation]
  return shared(population, measures, tokens)
}

/** min(1, c·m/N) with the c that makes the expected rows add up to `tokens`, which is less than the population. */
function shared(population: readonly number[], measures: readonly number[], tokens: number): number[] {
  // Strata are filled up in the order in which a rising c exhausts them.
  const order = [...population.keys()].sort((a, b) => population[a]! / measures[a]! - population[b]! / measures[b]!)
  let left = tokens
  let measure = measures.reduce((sum, value) => sum + value, 0)
  let factor = 0
  for (const i of order) {
    factor = left / measure
    if (population[i]! > factor * measures[i]!) break
    left -= population[i]!
    measure -= measures[i]!
  }
  return population.map((count, i) => Math.min(1, (factor * measures[i]!) / count))
}

function givenProbabilities(
  values: Strata['values'],
  population: readonly number[],
  counts: NonNullable<CaptureConfig['counts']>,
): number[] {
  const probabilities = new Array<number>(population.length).fill(0)
  for (const { stratum, tokens } of counts) {
    const named = Object.entries(stratum)
    const fits = [...values.keys()].filter(i => named.every(([field, value]) => values[i]![field] === value))
    const name = nameOf(stratum)
    if (fits.length === 0)
      throw new UserError(`counts names ${name}, but no stratum has that.`, {
        fix: `Name strata such as ${nameOf(values[0]!)}.`,
      })
    const twice = fits.find(i => probabilities[i] !== 0)
    if (twice !== undefined)
      throw new UserError(`counts names the stratum ${nameOf(values[twice]!)} twice.`, { fix: 'Name it once.' })
    const size = fits.reduce((sum, i) => sum + population[i]!, 0)
    if (tokens > size)
      throw new UserError(`counts asks for ${tokens} tokens of ${name}, but there are ${size}.`, {
        fix: `Ask for ${size} or fewer.`,
      })
    for (const i of fits) probabilities[i] = tokens / size
  }
  const without = probabilities.indexOf(0)
  if (without >= 0)
    throw new UserError(`counts has no number for the stratum ${nameOf(values[without]!)}.`, {
      fix: 'Give one: what is never taken cannot be weighted.',
    })
  return probabilities
}

/** What messages call a stratum: `language fi, position 0-7`. */
function nameOf(values: Readonly<Record<string, string>>): string {
  const parts = Object.entries(values).map(([field, value]) => `${field} ${value}`)
  return parts.length > 0 ? parts.join(', ') : 'all tokens'
}
