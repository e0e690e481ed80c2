/** The training part of the report: loss, sparsity, dead latents and screening over the tokens seen, and densities at the end. */
import { figureOf, histogram, keyOf, lines, type Series } from '../charts/index.ts'
import type { FigureOrigin } from '../origin.ts'
import { figureOrigin } from './definitions.ts'

/** A line of a run's metrics.jsonl. */
export type MetricsRecord = Readonly<Record<string, unknown>>

/** Points of a chart at most: longer runs are thinned evenly, the last point kept. */
const mostPoints = 200

/** A curve of one key of the records. */
interface Curve extends Series {
  readonly key: string
}

/** The charts of a training run; its name leads their numbers to its file. */
export function trainingCharts(records: readonly MetricsRecord[], run?: string): string {
  const known = records.filter(record => typeof record.tokens === 'number')
  const shown = thin(known)
  // Few lines have it, so those are looked for before any is left out.
  const measured = thin(known.filter(record => typeof record.ceRecovered === 'number'))
  const series = (key: string, tone = 0, from = shown): Curve => ({
    ...{ key, name: key },
    tone,
    points: from.flatMap(record =>
      typeof record[key] === 'number' ? [[record.tokens as number, record[key]] as const] : [],
    ),
  })
  const chart = (title: string, y: string, curves: readonly Curve[], log = false) =>
    figureOf(
      lines,
      { x: 'tokens seen', y, series: curves, log },
      { title, key: keyOf(curves), origin: run === undefined ? undefined : originOfCurves(run, y, curves) },
    )
  const parts = [
    chart('Fraction of variance unexplained, on training rows', 'FVU of the batch', [series('fvu')], true),
    chart('Loss', 'loss of the batch', [series('loss')], true),
    chart('Active latents a token (L0)', 'L0', [series('l0')]),
    chart('Latents that did not fire for long, while training', 'latents', [series('dead', 1)]),
  ]
  const screening = series('inQuestion')
  if (screening.points.length > 0)
    parts.push(
      chart(
        'Of rows × latents, what screening left in question; 1 where the dense product was taken instead',
        'share',
        [screening],
        true,
      ),
    )
  if (measured.length > 0)
    parts.push(
      chart('Loss of the model recovered', 'share, by ablation', [
        { ...series('ceRecovered', 0, measured), name: 'mean ablation' },
        { ...series('ceRecoveredZero', 1, measured), name: 'zero ablation' },
      ]),
    )
  const densities = known.at(-1)?.densityHistogram
  if (Array.isArray(densities)) parts.push(densityChart(densities as number[], known.at(-1)!.tokens as number, run))
  return `<div class="charts">${parts.join('')}</div>`
}

/** Where the points of curves stand: each in the record of its tokens. */
function originOfCurves(run: string, y: string, curves: readonly Curve[]): FigureOrigin {
  const rows = curves.flatMap(({ key, points }) => points.map(([tokens]) => ({ key, tokens })))
  return {
    ...{ run, file: 'metrics.jsonl', split: 'training' },
    where: row => `.tokens==${rows[row]!.tokens}`,
    n: 'one batch',
    columns: {
      [y]: {
        definition: figureOrigin(curves[0]?.key ?? '').definition,
        path: curves.length === 1 ? curves[0]!.key : row => rows[row]!.key,
      },
    },
  }
}

/** Latents by half a decade of density; the first count is of those that never fired, which have no place on the axis. */
function densityChart([silent, ...counts]: readonly number[], tokens: number, run: string | undefined): string {
  const edges = Array.from({ length: counts.length + 1 }, (_, i) => (i - counts.length) / 2)
  const title = `Density of latents at the end of training${silent ? `; ${silent} without a firing have no place here` : ''}`
  const origin: FigureOrigin | undefined =
    run === undefined
      ? undefined
      : {
          ...{ run, file: 'metrics.jsonl', split: 'training', where: () => `.tokens==${tokens}` },
          columns: { latents: { ...figureOrigin('densityHistogram'), path: row => `densityHistogram[${row + 1}]` } },
        }
  return figureOf(histogram, { x: 'log10 of the share of tokens', y: 'latents', edges, counts }, { title, origin })
}

function thin<T>(items: readonly T[]): readonly T[] {
  if (items.length <= mostPoints) return items
  const step = (items.length - 1) / (mostPoints - 1)
  return Array.from({ length: mostPoints }, (_, i) => items[Math.round(i * step)]!)
}
