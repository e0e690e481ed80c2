/** How well a latent tells its concept at each threshold, as a curve with one threshold chosen. HTML. */
import type { RocPoint } from '../api/contracts/feature.ts'
import { figureOf, roc, short, thresholdText } from '../charts/index.ts'
import { shown } from '../html.ts'

/** A curve, and where it is from. */
export interface FoundRoc {
  readonly concept: string
  readonly evidenceRun: string
  readonly tokens: number
  readonly positives: number
  readonly documents: number
  readonly auroc: number | null
  readonly points: readonly RocPoint[]
}

/** The curve with the threshold at this place marked. */
export function rocFigure(found: FoundRoc, latent: number | string, chosen: number): string {
  const { points, auroc, concept, evidenceRun, tokens, positives, documents } = found
  return figureOf(
    roc,
    { points, chosen, auroc },
    {
      title: `Telling ${concept} from other tokens: AUROC ${auroc === null ? 'missing' : short(auroc)}`,
      note: `${positives} of ${tokens} tokens carry the concept, in ${documents} documents. Band: recall over documents. Dashed: chance.`,
      origin: {
        ...{ run: evidenceRun, file: 'selectivity.parquet', split: 'validation', where: () => `feature=${latent}` },
        n: `${tokens} tokens, ${positives} of them with the concept, ${documents} documents`,
        columns: {
          Recall: { definition: 'share of the concept’s tokens whose activation is at least the threshold' },
          'Recall low': { definition: 'Student’s 95 % interval of a ratio of sums over documents' },
          Precision: { definition: 'share of tokens called that carry the concept' },
          'Others called': { definition: 'share of tokens without the concept that are called' },
        },
      },
    },
  )
}

/** What the threshold at this place gives, in a sentence. */
export const saidAt = (points: readonly RocPoint[], chosen: number): string =>
  shown(thresholdText(points[chosen]!), 400)

/** The curve with the threshold of the best F1, and what that gives; for pages that nobody can ask again. */
export function stillRoc(found: FoundRoc, latent: number): string {
  if (found.points.length === 0) return ''
  const chosen = placeOf(found.points)
  return `<div class="charts"><div><p class="soft">The threshold with the best F1. ${saidAt(found.points, chosen)}</p>${rocFigure(found, latent, chosen)}</div></div>`
}

/** The lowest threshold that is not below the one asked for; where none is asked for, that with the best F1. */
export function placeOf(points: readonly RocPoint[], asked = ''): number {
  const wanted = Number(asked)
  if (asked !== '' && Number.isFinite(wanted))
    return Math.max(
      0,
      points.findLastIndex(({ threshold }) => threshold >= wanted),
    )
  const f1 = ({ recall, precision }: RocPoint) => {
    const [r, p] = [recall.value ?? 0, precision.value ?? 0]
    return r + p === 0 ? 0 : (2 * r * p) / (r + p)
  }
  return points.reduce((best, point, i) => (f1(point) > f1(points[best]!) ? i : best), 0)
}
