/**
 * Heat map of effects: strata or conditions by measures. Every cell prints its value; one whose interval holds 0 is outlined,
 * one of fewer documents than planned is hatched, and what was not measured says so.
 */
import { visible } from '../../core/visible.ts'
import { escapeHtml, shown } from '../html.ts'
import { at, type Chart, extent, fitted, isNumber, withEnds } from './chart.ts'
import { short } from './scale.ts'

/** A cell; null where nothing was measured. */
export interface HeatCell {
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
  readonly n: number
}

export interface HeatData {
  readonly rows: readonly { readonly name: string; readonly cells: readonly (HeatCell | null)[] }[]
  readonly columns: readonly string[]
  /** Documents that a cell should have; those of fewer are hatched. */
  readonly planned: number
  readonly unit: string
}

const rowHeight = 24
const head = 26
/** Steps of colour on each side of 0. */
const steps = 5

const crosses = ({ low, high }: HeatCell) => isNumber(low) && isNumber(high) && low <= 0 && high >= 0

export const heat: Chart<HeatData> = {
  name: 'heat',
  size: ({ rows }) => ({ width: 460, height: head + rowHeight * rows.length + 6 }),
  isEmpty: ({ rows }) => !rows.some(({ cells }) => cells.some(cell => isNumber(cell?.value))),
  summary({ rows, columns, unit }) {
    const all = rows.flatMap(({ name, cells }) =>
      cells.flatMap((cell, i) => (isNumber(cell?.value) ? [{ name: `${name}, ${columns[i]}`, cell }] : [])),
    )
    const least = all.reduce<(typeof all)[number] | undefined>(
      (a, b) => (a && Math.abs(a.cell.value!) <= Math.abs(b.cell.value!) ? a : b),
      undefined,
    )
    const open = all.filter(({ cell }) => crosses(cell)).length
    return `Effects in ${unit} of ${rows.length} strata: ${open} of ${all.length} have an interval that holds 0${least ? `; the smallest is ${withEnds(least.cell.value, least.cell.low, least.cell.high)} in ${least.name}` : ''}.`
  },
  draw({ rows, columns, planned }, { width }) {
    const left = Math.min(190, width * 0.42)
    const wide = (width - left - 4) / columns.length
    const top = Math.max(
      ...(extent(rows.flatMap(({ cells }) => cells.map(cell => cell?.value))) ?? [0, 0]).map(Math.abs),
    )
    const heads = columns.map(
      (name, i) =>
        `<text class="axis" x="${at(left + wide * (i + 0.5))}" y="16" text-anchor="middle">${escapeHtml(fitted(visible(name), wide))}</text>`,
    )
    const body = rows.map(({ name, cells }, r) => {
      const y = head + rowHeight * r
      const label = `<text class="label" x="2" y="${y + 16}">${escapeHtml(fitted(visible(name), left - 8))}<title>${shown(name)}</title></text>`
      return `${label}${cells.map((cell, c) => `<g data-row="${r * columns.length + c}">${cellOf(cell, at(left + wide * c), y, at(wide - 2), top, planned)}</g>`).join('')}`
    })
    return `${heads.join('')}${body.join('')}`
  },
  table: ({ rows, columns, unit }) => ({
    columns: ['Stratum', 'Measure', `#Effect, ${unit}`, '#Low', '#High', '#Documents'],
    rows: rows.flatMap(({ name, cells }) =>
      cells.map((cell, i) => [
        name,
        columns[i]!,
        cell?.value ?? null,
        cell?.low ?? null,
        cell?.high ?? null,
        cell?.n ?? null,
      ]),
    ),
  }),
}

function cellOf(cell: HeatCell | null, x: number, y: number, wide: number, top: number, planned: number): string {
  const middle = `x="${at(x + wide / 2)}" y="${y + 16}" text-anchor="middle"`
  if (!cell || !isNumber(cell.value))
    return `<rect class="cell" x="${x}" y="${y}" width="${wide}" height="${rowHeight - 2}"/><text class="soft" ${middle}>missing</text>`
  const step = top === 0 ? 0 : Math.ceil((Math.abs(cell.value) / top) * steps)
  const side = step === 0 ? 'none' : `${cell.value < 0 ? 'less' : 'more'}-${step}`
  const box = `x="${x}" y="${y}" width="${wide}" height="${rowHeight - 2}"`
  const few = cell.n < planned ? `<path class="hatch" d="${hatch(x, y, wide, rowHeight - 2)}"/>` : ''
  const title = `${withEnds(cell.value, cell.low, cell.high)}, ${cell.n} documents`
  return `<rect class="cell ${side}${crosses(cell) ? ' open' : ''}" ${box}><title>${title}</title></rect>${few}<text class="label" ${middle}>${short(cell.value)}</text>`
}

/** Diagonals across a box. */
function hatch(x: number, y: number, wide: number, high: number): string {
  const count = Math.max(1, Math.floor((wide - high) / 8))
  return Array.from({ length: count }, (_, i) => `M${at(x + 8 * i)} ${y + high}l${high} ${-high}`).join('')
}
