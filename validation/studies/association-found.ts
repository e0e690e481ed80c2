/** From the rows of the study `association` to what stands in evidence. A pure function. */
import { Random } from '../../core/random.ts'
import { averagePrecision } from '../../statistics/association/average-precision.ts'
import { bestThreshold, detection } from '../../statistics/association/detection.ts'
import { mantelHaenszel, type Table } from '../../statistics/association/mantel-haenszel.ts'
import { conditionalInformation, mutualInformation } from '../../statistics/association/mutual-information.ts'
import { type StratifiedAuroc, stratifiedAuroc } from '../../statistics/association/stratified-auroc.ts'
import { binned, quantileEdges } from '../../statistics/bins.ts'
import { mean } from '../../statistics/descriptive.ts'
import { studentQuantile } from '../../statistics/distributions/student.ts'
import { jackknifeErrorOf } from '../../statistics/intervals/jackknife.ts'
import { rankP } from '../../statistics/tests/permutation.ts'
import type { Association } from '../contracts/association.ts'
import { familyQ } from '../judging/family.ts'
import type { TestedLatent } from './study.ts'

/** Tokens that are alike, of one document; or, as `value`, φ of the correlated concept or AUROC of a tied control. */
export interface AssociationRow {
  readonly [key: string]: number | string | null
  readonly part: 'discovery' | 'validation' | 'correlated' | 'tied'
  /** Null for discovery text, of which a threshold alone is chosen. */
  readonly document: string | null
  /** Token and place; null where the latent is silent at every such token of the text. */
  readonly token: number | null
  readonly place: number | null
  /** Whether they carry the claimed concept, and the one that goes with it most (null where there is none). */
  readonly carries: number | null
  readonly carriesOther: number | null
  readonly activation: number | null
  readonly count: number
  readonly name: string | null
  readonly value: number | null
}

interface Settings {
  readonly alpha: number
  readonly seed: number
}

/** Findings of all latents: within-token p-values are one family. */
export function judgeAssociation(
  tested: readonly Pick<TestedLatent<AssociationRow>, 'claim' | 'rows'>[],
  settings: Settings,
): (Association | null)[] {
  const found = tested.map(({ claim, rows }) => {
    const held = rows.filter(({ part }) => part === 'validation')
    return held.length === 0 ? null : ofLatent(claim.feature, rows, held, settings)
  })
  const { q } = familyQ(found.map(one => one?.withinToken?.p ?? null))
  return found.map((one, i) => one && { ...one, q: q[i]!, finding: findingOf(one, q[i]!, settings.alpha) })
}

function findingOf({ withinToken, tied }: Association, q: number | null, alpha: number): Association['finding'] {
  if (!withinToken || q === null) return 'no-comparison'
  if (q > alpha || withinToken.estimate <= 0.5) return 'token'
  return tied.p !== null && tied.p <= alpha ? 'beyond-token' : 'as-random-directions'
}

function ofLatent(
  feature: number,
  rows: readonly AssociationRow[],
  held: readonly AssociationRow[],
  { alpha, seed }: Settings,
): Association | null {
  const level = 1 - alpha
  const labelled = labelledOf(held)
  const precision = averagePrecision(labelled.scores, labelled.labels, labelled.counts)
  if (!precision) return null
  const chosen = bestThreshold(labelledOf(rows.filter(({ part }) => part === 'discovery')))
  const detected = chosen && detection(labelled, chosen.threshold, level)
  const within = stratifiedAuroc(
    byStrata(
      held.filter(({ token }) => token !== null),
      row => `${row.token} ${row.place}`,
    ),
    new Random(seed, 'association', feature, 'token'),
    level,
  )
  const other = rows.find(({ part }) => part === 'correlated')
  const controls = rows.flatMap(({ part, value }) => (part === 'tied' ? [value!] : []))
  return {
    averagePrecision: precision.estimate,
    prevalence: precision.prevalence,
    threshold: chosen?.threshold ?? null,
    precision: detected?.precision ?? null,
    recall: detected?.recall ?? null,
    f1: detected?.f1 ?? null,
    lift: detected?.lift ?? null,
    oddsRatio: detected?.oddsRatio ?? null,
    information: informationOf(held),
    withinToken: within && withinOf(within),
    q: null,
    tied: {
      count: controls.length,
      mean: controls.length === 0 ? null : mean(controls),
      p: within && controls.length > 0 ? rankP(within.estimate, controls, 'greater') : null,
    },
    finding: 'no-comparison',
    correlated: other
      ? correlatedOf(feature, held, other, {
          alpha,
          seed,
          threshold: detected ? chosen.threshold : Number.POSITIVE_INFINITY,
        })
      : null,
  }
}

function withinOf({ estimate, low, high, p, pairs, strata, clusters }: StratifiedAuroc) {
  return { estimate, low, high, p, pairs, strata, documents: clusters }
}

function labelledOf(rows: readonly AssociationRow[]) {
  return {
    scores: rows.map(row => row.activation!),
    labels: rows.map(row => row.carries!),
    clusters: rows.map(row => row.document ?? ''),
    counts: rows.map(row => row.count),
  }
}

const byStrata = (rows: readonly AssociationRow[], stratum: (row: AssociationRow) => string | number) => ({
  ...labelledOf(rows),
  strata: rows.map(stratum),
})

function informationOf(held: readonly AssociationRow[]): Association['information'] {
  const tokens = held.flatMap(row => new Array<AssociationRow>(row.count).fill(row))
  const activations = tokens.map(row => row.activation!)
  const bins = binned(activations, quantileEdges(activations, 4))
  const carries = tokens.map(row => row.carries!)
  const plain = mutualInformation(bins, carries)
  const given = conditionalInformation(
    bins,
    carries,
    tokens.map(row => `${row.token} ${row.place}`),
  )
  const share = mean(carries)
  const entropy = share <= 0 || share >= 1 ? 0 : -share * Math.log(share) - (1 - share) * Math.log(1 - share)
  return { ...plain, givenToken: given, entropy }
}

/** The claimed concept given the one that goes with it most, and the other way round. */
function correlatedOf(
  feature: number,
  held: readonly AssociationRow[],
  { name, value }: AssociationRow,
  { alpha, seed, threshold }: Settings & { readonly threshold: number },
): Association['correlated'] {
  const level = 1 - alpha
  const random = (name: string) => new Random(seed, 'association', feature, name)
  const givenOther = stratifiedAuroc(
    byStrata(held, row => row.carriesOther!),
    random('given'),
    level,
  )
  const turned = held.map(row => ({ ...row, carries: row.carriesOther, carriesOther: row.carries }))
  const otherGiven = stratifiedAuroc(
    byStrata(turned, row => row.carriesOther!),
    random('turned'),
    level,
  )
  return {
    concept: name!,
    phi: value!,
    givenOther: givenOther && withinOf(givenOther),
    otherGiven: otherGiven && withinOf(otherGiven),
    oddsRatio: pooledOdds(held, threshold, level),
    told: givenOther && otherGiven && toldOf(givenOther, otherGiven),
  }
}

/** Which of two concepts is told with the other held fixed: both, unless the intervals say which is told better. */
function toldOf(own: StratifiedAuroc, other: StratifiedAuroc): NonNullable<Association['correlated']>['told'] {
  const isTold = ({ low }: StratifiedAuroc) => low !== null && low > 0.5
  const isBetter = (a: StratifiedAuroc, b: StratifiedAuroc) => isTold(a) && (!isTold(b) || a.low! > b.high!)
  if (!isTold(own) && !isTold(other)) return 'neither'
  return isBetter(own, other) ? 'claimed' : isBetter(other, own) ? 'other' : 'both'
}

type Tables = readonly [Table, Table]

/** Mantel and Haenszel's odds ratio over tokens with and without the other concept; interval by the jackknife over documents. */
function pooledOdds(
  held: readonly AssociationRow[],
  threshold: number,
  level: number,
): NonNullable<Association['correlated']>['oddsRatio'] {
  const empty = (): number[] => new Array<number>(8).fill(0)
  const documents = new Map<string, number[]>()
  const total = empty()
  for (const row of held) {
    const own = documents.get(row.document!) ?? empty()
    documents.set(row.document!, own)
    const place = 4 * row.carriesOther! + (row.activation! >= threshold ? 0 : 2) + (row.carries ? 0 : 1)
    own[place]! += row.count
    total[place]! += row.count
  }
  const tables = (counts: readonly number[]): Tables => {
    const [a, b, c, d, e, f, g, h] = counts as [number, number, number, number, number, number, number, number]
    return [
      { a, b, c, d },
      { a: e, b: f, c: g, d: h },
    ]
  }
  const logOdds = (counts: readonly number[]) => {
    const { oddsRatio } = mantelHaenszel(tables(counts))
    return oddsRatio === null || oddsRatio === 0 ? null : Math.log(oddsRatio)
  }
  const estimate = logOdds(total)
  if (estimate === null) return { estimate: mantelHaenszel(tables(total)).oddsRatio, low: null, high: null }
  const error = jackknifeErrorOf([...documents.values()].map(own => logOdds(total.map((all, k) => all - own[k]!))))
  const half = error === null || error === 0 ? null : studentQuantile((1 + level) / 2, documents.size - 1) * error
  return {
    estimate: Math.exp(estimate),
    low: half === null ? null : Math.exp(estimate - half),
    high: half === null ? null : Math.exp(estimate + half),
  }
}
