/** How well the latent tells its concept at each threshold: the curve, a slider, and what the threshold chosen gives. HTML. */
import { roc as rocContract } from '../../api/contracts/feature.ts'
import { figureOf, roc, short, thresholdText } from '../../charts/index.ts'
import { escapeHtml, shown } from '../../html.ts'
import type { Ask } from './ask.ts'

export interface SelectivityAsked {
  readonly run: string
  readonly latent: string
  /** As the address has it; '' for the one with the best F1. */
  readonly threshold: string
  /** What else the address says, to be kept. */
  readonly kept: Readonly<Record<string, string>>
}

type Found = Awaited<ReturnType<typeof foundType>>
const foundType = (ask: Ask) => ask(rocContract)

export async function selectivityHtml(ask: Ask, { run, latent, threshold, kept }: SelectivityAsked): Promise<string> {
  const found = await ask(rocContract, { parts: { run, latent } })
  const { points, auroc, concept, evidenceRun, tokens, positives, documents } = found
  if (points.length === 0)
    return '<p class="nothing">It fires on none of the tokens that selectivity was measured on.</p>'
  const chosen = placeOf(points, threshold)
  const most = points[0]!.threshold
  const hidden = Object.entries(kept)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`)
  const figure = figureOf(
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
  return `<div class="charts roc"><div><form method="get" action="#selectivity" data-roc=""><label>Threshold <input type="range" name="threshold" min="0" max="${most}" step="any" value="${points[chosen]!.threshold}"></label>${hidden.join('')}<button>Show</button></form>
<p data-said="" role="status">${shown(thresholdText(points[chosen]!), 400)}</p>${figure}</div></div>`
}

/** The lowest threshold that is not below the one asked for; where none is asked for, that with the best F1. */
function placeOf(points: Found['points'], asked: string): number {
  const wanted = Number(asked)
  if (asked !== '' && Number.isFinite(wanted))
    return Math.max(
      0,
      points.findLastIndex(({ threshold }) => threshold >= wanted),
    )
  const f1 = ({ recall, precision }: Found['points'][number]) => {
    const [r, p] = [recall.value ?? 0, precision.value ?? 0]
    return r + p === 0 ? 0 : (2 * r * p) / (r + p)
  }
  return points.reduce((best, point, i) => (f1(point) > f1(points[best]!) ? i : best), 0)
}
