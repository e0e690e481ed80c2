/** How far two runs of one stage differ, from what their files hold: sites and strata, firing, effects. */
import type { z } from 'zod'
import { NotThereError, UserError } from '../../core/errors.ts'
import { readCaptureManifest } from '../../datasets/shards/index.ts'
import type { FinishedRun } from '../../runs/run.ts'
import { stabilityIndex } from '../../statistics/drift/stability-index.ts'
import { type Evidence, readEvidence } from '../../validation/evidence.ts'
import type { Shift as ShiftSchema } from '../api/contracts/evidence.ts'
import { labelled, latentsOf } from './labelled.ts'
import type { Runs } from './runs.ts'

export type Shift = z.output<typeof ShiftSchema>

export interface Drifted {
  readonly changed: { what: string; base: string | null; now: string | null }[]
  readonly definitions: Readonly<Record<string, string>>
  readonly shifts: Shift[]
}

const definitions: Readonly<Record<string, string>> = {
  meanCosine: 'cosine of the mean activations of all tokens sampled from; 1 where they point the same way',
  meanShift:
    '‖difference of the means‖ by the root of the mean of the two total variances; 0 where the means are the same',
  varianceRatio: 'total variance now by before',
  normRatio: 'mean norm of the stored rows now by before',
  psi: 'population stability index of the strata of a field, over the tokens that could be taken; below .10 is called none, .10 to .25 moderate, above large, by convention',
  densityRatio:
    'share of tokens at which the latent fires, now by before; tokens of a document are not independent, so it has no p',
  maximumRatio: 'largest activation now by before',
  effect:
    'mean effect of the primary intervention now less before, with MOVER’s interval from those of both; documents are the unit',
}

/** The shifts, the largest first. A `UserError` for runs that cannot be compared. */
export async function driftOf(runs: Runs, base: FinishedRun, now: FinishedRun): Promise<Drifted> {
  const { stage } = base.manifest
  if (now.manifest.stage !== stage)
    throw new UserError(`${base.manifest.id} is a ${stage} run and ${now.manifest.id} a ${now.manifest.stage} run.`, {
      fix: 'Name two runs of one stage.',
    })
  const compare = { capture: captures, label: labels, validate: validations }[stage]
  if (!compare)
    throw new UserError(`What a ${stage} run holds cannot drift; captures, label runs and validate runs can.`, {
      fix: stage === 'train' || stage === 'import' ? 'GET /api/compare compares two SAEs.' : 'Name two captures.',
    })
  return compare(runs, base, now)
}

async function captures(runs: Runs, base: FinishedRun, now: FinishedRun): Promise<Drifted> {
  const read = (run: FinishedRun) => runs.kept(run, 'capture.json', () => readCaptureManifest(run.directory))
  const [a, b] = [await read(base), await read(now)]
  const shifts = a.sites.flatMap(({ name, width, statistics: before }): Shift[] => {
    const after = b.sites.find(site => site.name === name && site.width === width)?.statistics
    if (!after) return []
    const n = { base: a.rows, now: b.rows }
    const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0)
    const dot = (x: readonly number[], y: readonly number[]) => x.reduce((sum, value, i) => sum + value * y[i]!, 0)
    const [m, w] = [before.populationMean, after.populationMean]
    const spread = (total(before.variance) + total(after.variance)) / 2
    const distance = Math.sqrt(m.reduce((sum, value, i) => sum + (value - w[i]!) ** 2, 0))
    const lengths = Math.sqrt(dot(m, m) * dot(w, w))
    return [
      shift(name, 'meanCosine', lengths > 0 ? dot(m, w) / lengths : null, n),
      shift(name, 'meanShift', spread > 0 ? distance / Math.sqrt(spread) : null, n),
      ratio(name, 'varianceRatio', total(before.variance), total(after.variance), n),
      ratio(name, 'normRatio', before.norm, after.norm, n),
    ]
  })
  const n = { base: a.sampling.population, now: b.sampling.population }
  for (const field of a.sampling.fields.filter(name => b.sampling.fields.includes(name))) {
    const [p, q] = sharesOf(field, a.sampling.strata, b.sampling.strata)
    shifts.push(shift(field, 'psi', p.length > 1 ? stabilityIndex(p, q) : 0, n))
  }
  if (shifts.length === 0) throw new NotThereError('The captures have no site and no stratum field in common.')
  return {
    changed: changedOf([
      ['model', a.model.hash, b.model.hash],
      ['tokenizer', a.tokenizer.hash, b.tokenizer.hash],
      ['dataset', a.dataset.hash, b.dataset.hash],
    ]),
    definitions: only(shifts),
    shifts,
  }
}

type Stratum = { readonly values: Readonly<Record<string, string>>; readonly population: number }

/** Shares of the tokens by a field's values, those of both runs. */
function sharesOf(field: string, a: readonly Stratum[], b: readonly Stratum[]): [number[], number[]] {
  const values = [...new Set([...a, ...b].map(({ values }) => values[field]!))].sort()
  const shares = (strata: readonly Stratum[]) => {
    const counts = values.map(value =>
      strata.filter(one => one.values[field] === value).reduce((sum, { population }) => sum + population, 0),
    )
    const total = counts.reduce((sum, count) => sum + count, 0)
    return counts.map(count => (total > 0 ? count / total : 0))
  }
  return [shares(a), shares(b)]
}

async function labels(runs: Runs, base: FinishedRun, now: FinishedRun): Promise<Drifted> {
  const [a, b] = [await labelled(runs, base.manifest.id), await labelled(runs, now.manifest.id)]
  const hash = (found: typeof a, what: string) => {
    const column = found.table.column(`${what}_hash`)
    return column.kind === 'text' && found.table.rows > 0 ? column.text(0) : null
  }
  mustBeOneSae(hash(a, 'sae'), hash(b, 'sae'))
  const place = new Map(Array.from(latentsOf(b.table), (latent, row) => [latent, row]))
  const numbers = (found: typeof a, name: string) => {
    const column = found.table.column(name)
    return column.kind === 'number' ? column.values : new Float64Array()
  }
  const tokens = (run: FinishedRun) =>
    typeof run.manifest.summary.tokens === 'number' ? run.manifest.summary.tokens : null
  const n = { base: tokens(base), now: tokens(now) }
  const shifts = (['density', 'max_activation'] as const).flatMap(name => {
    const [before, after] = [numbers(a, name), numbers(b, name)]
    const measure = name === 'density' ? 'densityRatio' : 'maximumRatio'
    return Array.from(latentsOf(a.table), (latent, row) => {
      const other = place.get(latent)
      return ratio(`latent ${latent}`, measure, before[row]!, other === undefined ? 0 : after[other]!, n)
    })
  })
  // The largest changes first, whichever way; what fired before and does not now is the largest of all.
  const size = ({ value, base, now }: Shift) =>
    value !== null && value > 0 ? Math.abs(Math.log(value)) : base === now ? 0 : Number.POSITIVE_INFINITY
  shifts.sort((x, y) => (x.measure === y.measure ? size(y) - size(x) || 0 : x.measure < y.measure ? -1 : 1))
  return {
    changed: changedOf(['sae', 'model', 'dataset'].map(what => [what, hash(a, what), hash(b, what)])),
    definitions: only(shifts),
    shifts,
  }
}

async function validations(runs: Runs, base: FinishedRun, now: FinishedRun): Promise<Drifted> {
  const read = (run: FinishedRun): Promise<Evidence> => runs.kept(run, 'evidence.json', readEvidence)
  const [a, b] = [await read(base), await read(now)]
  mustBeOneSae(a.hashes.sae, b.hashes.sae)
  const shifts = a.features.flatMap(before => {
    const after = b.features.find(
      ({ claim }) => claim.feature === before.claim.feature && claim.primary === before.claim.primary,
    )
    const [x, y] = [before, after].map(one => one?.[before.claim.primary]?.metrics.target.effect)
    if (!x || !y) return []
    const known = [x.mean, x.low, x.high, y.mean, y.low, y.high].every(value => value !== null)
    const value = x.mean === null || y.mean === null ? null : y.mean - x.mean
    return {
      ...shift(`latent ${before.claim.feature}, ${before.claim.primary}`, 'effect', value, {
        base: x.documents,
        now: y.documents,
      }),
      low: known ? value! - Math.hypot(y.mean! - y.low!, x.high! - x.mean!) : null,
      high: known ? value! + Math.hypot(y.high! - y.mean!, x.mean! - x.low!) : null,
      ...{ base: x.mean, now: y.mean },
    }
  })
  if (shifts.length === 0) throw new NotThereError('The runs tested no latent in common by the same intervention.')
  shifts.sort((x, y) => Math.abs(y.value ?? 0) - Math.abs(x.value ?? 0))
  return {
    changed: changedOf((['sae', 'model', 'dataset'] as const).map(what => [what, a.hashes[what], b.hashes[what]])),
    definitions: only(shifts),
    shifts,
  }
}

function mustBeOneSae(a: string | null, b: string | null): void {
  if (a === b) return
  throw new UserError(
    `The runs are about different SAEs (${a?.slice(0, 12)} and ${b?.slice(0, 12)}), whose latents are not the same.`,
    {
      fix: 'GET /api/compare matches the latents of two SAEs.',
    },
  )
}

function shift(what: string, measure: string, value: number | null, n: Shift['n']): Shift {
  return { what, measure, value, low: null, high: null, p: null, q: null, base: null, now: null, n }
}

/** A ratio, null where there is nothing to divide by. */
function ratio(what: string, measure: string, base: number, now: number, n: Shift['n']): Shift {
  return { ...shift(what, measure, base > 0 ? now / base : null, n), base, now }
}

const only = (shifts: readonly Shift[]) =>
  Object.fromEntries(Object.entries(definitions).filter(([name]) => shifts.some(({ measure }) => measure === name)))

const changedOf = (pairs: readonly (readonly [string, string | null, string | null])[]) =>
  pairs.filter(([, base, now]) => base !== now).map(([what, base, now]) => ({ what, base, now }))
