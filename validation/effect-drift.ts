/**
 * Whether the effects of latents that two validate runs of one SAE tested are the same: each document's effect on the target,
 * by latent, intervention and dose, compared over documents.
 */
import { UserError } from '../core/errors.ts'
import { Random } from '../core/random.ts'
import { type RateDrift, rateDrift } from '../statistics/drift/rates.ts'
import type { Evidence } from './evidence.ts'
import type { EffectRow, Intervention } from './rows.ts'

/** Evidence with its raw effects. */
export interface EffectSide {
  readonly evidence: Pick<Evidence, 'hashes' | 'site'>
  readonly rows: Iterable<EffectRow>
}

export interface EffectDrift extends RateDrift {
  readonly latent: number
  readonly intervention: Intervention
  readonly dose: number
}

export const effectDefinition = 'Welch’s |t| of the latent’s raw effect on the target, over documents'

/** Compares what both tested. Throws a `UserError` for evidence of different SAEs, and where nothing is in both. */
export function effectDrift(
  a: EffectSide,
  b: EffectSide,
  { draws, seed }: { draws: number; seed: number },
): EffectDrift[] {
  if (a.evidence.hashes.sae !== b.evidence.hashes.sae)
    throw new UserError('The evidence is of different SAEs, whose latents have nothing to do with each other.', {
      fix: 'Compare validate runs of one SAE, or the SAEs themselves.',
    })
  const [first, second] = [own(a.rows), own(b.rows)]
  const shared = [...first.keys()].filter(key => second.has(key))
  if (shared.length === 0)
    throw new UserError('No latent was tested by the same intervention in both runs.', {
      fix: 'Compare runs that test the same latents.',
    })
  const groups = { a: documents(a.rows), b: documents(b.rows) }
  const figures = [
    ...groups.a.map(document => shared.map(key => first.get(key)!.means.get(document) ?? null)),
    ...groups.b.map(document => shared.map(key => second.get(key)!.means.get(document) ?? null)),
  ]
  const found = rateDrift(groups, figures, new Random(seed, 'effect drift'), draws)
  return shared.map((key, i) => {
    const { feature, intervention, dose } = first.get(key)!
    return { latent: feature, intervention, dose, ...found[i]! }
  })
}

interface Effects extends Pick<EffectRow, 'feature' | 'intervention' | 'dose'> {
  /** Mean effect on each document. */
  readonly means: ReadonlyMap<string, number>
}

/** The latents' own effects, by latent, intervention and dose. */
function own(rows: Iterable<EffectRow>): Map<string, Effects> {
  const sums = new Map<string, { effects: Omit<Effects, 'means'>; values: Map<string, number[]> }>()
  for (const { feature, intervention, dose, control, document, target } of rows) {
    if (control !== 'feature') continue
    const key = `${feature} ${intervention} ${dose}`
    const found = sums.get(key) ?? { effects: { feature, intervention, dose }, values: new Map<string, number[]>() }
    sums.set(key, found)
    found.values.set(document, [...(found.values.get(document) ?? []), target])
  }
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  return new Map(
    [...sums].map(([key, { effects, values }]) => [
      key,
      { ...effects, means: new Map([...values].map(([document, all]) => [document, mean(all)])) },
    ]),
  )
}

function documents(rows: Iterable<EffectRow>): string[] {
  const found = new Set<string>()
  for (const { document } of rows) found.add(document)
  return [...found]
}
