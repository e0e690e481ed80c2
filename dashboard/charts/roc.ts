/** ROC curve: of a concept's tokens those called by the share of other tokens called, as the threshold falls; one threshold is chosen. */
import type { Api } from '../api/types.ts'
import { axisHeight, xAxis, yAxis } from './axes.ts'
import { at, type Chart, withEnds } from './chart.ts'
import { curve } from './lines.ts'
import { linearScale, short } from './scale.ts'

type RocPoint = Api['roc']['answer']['points'][number]
type Share = RocPoint['recall']

export interface RocData {
  /** By falling threshold. */
  readonly points: readonly RocPoint[]
  /** Place of the chosen one. */
  readonly chosen: number
  readonly auroc: number | null
}

/** What calling tokens from a threshold on gives, in a sentence. */
export function thresholdText({
  threshold,
  recall,
  precision,
  falseAlarms,
  truePositives,
  falsePositives,
}: RocPoint): string {
  const share = ({ value, low, high }: Share) => withEnds(value, low, high)
  return `Called from ${short(threshold)} on: recall ${share(recall)}, precision ${share(precision)}; ${truePositives} tokens of the concept and ${falsePositives} others, ${short(100 * falseAlarms)} % of these.`
}

export const roc: Chart<RocData> = {
  name: 'roc',
  size: () => ({ width: 460, height: 300 }),
  isEmpty: ({ points }) => points.length === 0,
  summary({ points, chosen, auroc }) {
    const mark = points[chosen] ?? points[0]
    return mark ? `AUROC ${auroc === null ? 'missing' : short(auroc)}. ${thresholdText(mark)}` : 'No curve.'
  },
  draw({ points, chosen }, { width, height }) {
    const frame = { left: 54, right: width - 10, top: 10, bottom: height - axisHeight }
    const x = linearScale(0, 1, frame.left, frame.right, 5)
    const y = linearScale(0, 1, frame.bottom, frame.top, 5)
    const series = {
      name: 'ROC',
      points: points.map(({ falseAlarms, recall }) => [falseAlarms, recall.value] as const),
      low: points.map(({ recall }) => recall.low),
      high: points.map(({ recall }) => recall.high),
    }
    const mark = points[chosen]
    const ring =
      mark && mark.recall.value !== null
        ? `<circle class="chosen" cx="${at(x.place(mark.falseAlarms))}" cy="${at(y.place(mark.recall.value))}" r="6"/>`
        : ''
    const chance = `<line class="zero" x1="${at(x.place(0))}" y1="${at(y.place(0))}" x2="${at(x.place(1))}" y2="${at(y.place(1))}"/>`
    return `${yAxis(y, frame, 'recall')}${chance}${curve(series, x, y, 0)}${ring}${xAxis(x, frame, 'share of other tokens called')}`
  },
  table: ({ points }) => ({
    columns: [
      ...['#Threshold', '#Recall', '#Recall low', '#Recall high', '#Precision', '#Precision low', '#Precision high'],
      ...['#Others called', '#True', '#False'],
    ],
    rows: points.map(({ threshold, recall, precision, falseAlarms, truePositives, falsePositives }) => [
      ...[threshold, recall.value, recall.low, recall.high, precision.value, precision.low, precision.high],
      ...[falseAlarms, truePositives, falsePositives],
    ]),
  }),
}
