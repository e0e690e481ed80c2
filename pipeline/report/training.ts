/** The training part of the report: loss, sparsity and dead latents over the tokens seen. */
import { lineChart, type Series } from './charts.ts'

/** A line of a run's metrics.jsonl. */
export type MetricsRecord = Readonly<Record<string, unknown>>

/** Points of a chart at most: longer runs are thinned evenly, the last point kept. */
const MOST_POINTS = 400

/** The charts of a training run. */
export function trainingCharts(records: readonly MetricsRecord[]): string {
  const shown = thin(records.filter(record => typeof record.tokens === 'number'))
  const series = (key: string, tone = 0): Series => ({
    name: key,
    tone,
    points: shown.flatMap(record =>
      typeof record[key] === 'number' ? [[record.tokens as number, record[key]] as const] : [],
    ),
  })
  const parts = [
    lineChart({ title: 'Fraction of variance unexplained', x: 'tokens seen', y: 'FVU of the batch' }, [series('fvu')], {
      log: true,
    }),
    lineChart({ title: 'Loss', x: 'tokens seen', y: 'loss of the batch' }, [series('loss')], { log: true }),
    lineChart({ title: 'Active latents a token (L0)', x: 'tokens seen', y: 'L0' }, [series('l0')]),
    lineChart({ title: 'Dead latents', x: 'tokens seen', y: 'latents' }, [series('dead', 1)]),
  ]
  return `<div class="charts">${parts.join('')}</div>`
}

function thin<T>(items: readonly T[]): readonly T[] {
  if (items.length <= MOST_POINTS) return items
  const step = (items.length - 1) / (MOST_POINTS - 1)
  return Array.from({ length: MOST_POINTS }, (_, i) => items[Math.round(i * step)]!)
}
