/** How often each interval of the evidence holds the true value, at the numbers of documents in use. */
import { Random } from '../../core/random.ts'
import { normalCdf } from '../../statistics/distributions/normal.ts'
import { meanRatio } from '../../statistics/intervals/ratio.ts'
import { analyseIntervention } from '../judging/analyse.ts'
import { analyseSelectivity } from '../judging/selectivity.ts'
import { analyseStrata } from '../judging/strata.ts'
import type { SelectivityRow } from '../rows.ts'
import { ratioOfMeans } from '../studies/ratio.ts'
import { handMadeClaim, handMadeRows } from './hand-made.ts'
import { type Share, share } from './null-table.ts'

type Bounds = { readonly low: number | null; readonly high: number | null } | null | undefined

/** One interval: its true value, and how it comes out of a drawn study. */
export interface Covered {
  readonly name: string
  readonly truth: number
  draw(random: Random): Bounds
}

const settings = { alpha: 0.05, power: 0.8, bootstrap: 200, smallestEffect: 0.05 }
const effect = 0.4
const [documents, windows, controls] = [16, 8, 39]

function compared(spread: { documents: number; controls: number }, kind: string) {
  return (random: Random): Bounds =>
    analyseIntervention(
      handMadeClaim,
      handMadeRows(random, { documents, windows, controls, effect, spread }),
      'ablate',
      settings,
      0,
    )?.metrics.target.controls.find(({ control }) => control === kind)
}

/** Spreads under which documents, or directions, are most of what is not known. */
const spreads = [
  { documents: 0.3, controls: 0.05 },
  { documents: 0.1, controls: 0.3 },
] as const

const differences = spreads.flatMap(spread =>
  ['random', 'tied'].map(
    (kind): Covered => ({
      name: `less ${kind} controls, deviation ${spread.documents} over documents, ${spread.controls} over controls`,
      truth: -effect,
      draw: compared(spread, kind),
    }),
  ),
)

/** Effects in two strata: 1.5 in one of `share` documents, 1 in the others. */
function stratum(inside: number) {
  const strata = Object.fromEntries(
    Array.from({ length: documents }, (_, d) => [`d${d}`, { half: d < inside ? 'in' : 'out' }]),
  )
  return (random: Random) => {
    const rows = handMadeRows(random, { documents, windows, controls: 0, effect: 1, spread: spreads[0] }).map(row => ({
      ...row,
      target: row.target - (strata[row.document]!.half === 'in' ? 0.5 : 0),
    }))
    return analyseStrata(handMadeClaim, rows, strata, ['half'], settings).find(({ value }) => value === 'in')!
  }
}

/** Activations of a latent on tokens with and without a concept: d′ 1 within documents, which differ by .7 deviations. */
function selectivityOf(random: Random): Bounds {
  const rows: SelectivityRow[] = []
  for (let d = 0; d < documents; d++) {
    const own = 0.7 * random.normal()
    for (let w = 0; w < windows; w++) {
      const labelled = [1, 2, 3].filter(() => random.uniform() < 0.3)
      const positions = [1, 2, 3]
      const activations = positions.map(p => own + random.normal() + (labelled.includes(p) ? 1 : 0))
      rows.push({ feature: 0, document: `d${d}`, window: `d${d}#${w}`, tokens: 3, positions, activations, labelled })
    }
  }
  return analyseSelectivity({ ...handMadeClaim, concept: 'c' }, rows, [], settings)
}

const values = (random: Random, mean: number, spread: number) =>
  Array.from({ length: documents }, () => mean + spread * random.normal())

/** The intervals of the evidence. */
export const covered: readonly Covered[] = [
  {
    name: 'mean effect, 16 × 8 windows',
    truth: -effect,
    draw: random =>
      analyseIntervention(
        handMadeClaim,
        handMadeRows(random, { documents, windows, controls: 0, effect, spread: spreads[0] }),
        'ablate',
        settings,
        0,
      )?.metrics.target.effect,
  },
  ...differences,
  {
    name: 'mean in a stratum of 4 of 16 documents',
    truth: -1.5,
    draw: stratum(4),
  },
  ...[4, 12].map(
    (inside): Covered => ({
      name: `ratio of a stratum of ${inside} of 16 documents to all`,
      truth: 1.5 / (1 + (0.5 * inside) / documents),
      draw(random) {
        const { ratioLow: low, ratioHigh: high } = stratum(inside)(random)
        return { low, high }
      },
    }),
  ),
  {
    name: 'share of an effect in the same documents',
    truth: 0.6,
    draw(random) {
      const whole = values(random, 1, 0.4)
      return ratioOfMeans(
        whole.map(value => 0.2 + 0.4 * value + 0.2 * random.normal()),
        whole,
        0.95,
      )
    },
  },
  {
    name: 'share of an effect in other documents',
    truth: 0.5,
    draw: random => meanRatio(values(random, 0.5, 0.3), values(random, 1, 0.4)),
  },
  { name: 'AUROC over 16 documents × 8 windows', truth: normalCdf(1 / Math.sqrt(2 * 1.49)), draw: selectivityOf },
]

/** Coverage of one interval among the studies that gave bounds. */
export function coverageOf({ name, truth, draw }: Covered, studies: number): Share {
  let [held, given] = [0, 0]
  for (let i = 0; i < studies; i++) {
    const bounds = draw(new Random('coverage', name, i))
    if (!bounds || bounds.low === null || bounds.high === null) continue
    given++
    if (bounds.low <= truth && truth <= bounds.high) held++
  }
  return share(held, given)
}
