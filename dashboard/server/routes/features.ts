/** Features of a label run: pages of them, their columns, and how a column is distributed. */
import { UserError } from '../../../core/errors.ts'
import { hashValue } from '../../../core/hash.ts'
import { columns, exported, features, histogram } from '../../api/contracts/features.ts'
import { pageOf } from '../../read/cursor.ts'
import { columnOf } from '../../read/filter.ts'
import { histogramOf } from '../../read/histogram.ts'
import { withCompanions } from '../../read/label.ts'
import { labelled, meantRows, openLabelled } from '../../read/labelled.ts'
import { rowsFile, rowsTypes } from '../../read/rows-file.ts'
import type { Table } from '../../read/table.ts'
import { defineRoute } from '../route.ts'

export const featuresRoute = defineRoute(features, async ({ runs }, { parts, query }) => {
  const found = await openLabelled(runs, parts.run!)
  const { sort, column, cursor, offset, limit, ...meant } = query
  const { sha256 } = found.run.manifest
  // Rows in the table's order lie together, and are read alone; chosen ones may lie anywhere.
  if (sort !== undefined || Object.values(meant).some(one => one !== undefined && one.length > 0))
    await found.table.load([...found.table.scalars, ...column])
  const rows = await meantRows(runs, found, meant, sort)
  const names = withCompanions(found.table, column)
  const page = pageOf(rows, { cursor, offset, limit }, hashValue([sha256, meant, sort]))
  return {
    tag: sha256,
    value: async () => ({
      features: await found.table.records(page.entries, names),
      total: page.total,
      next: page.next,
    }),
    arrow: () => found.table.take(page.entries, names),
  }
})

export const exportedRoute = defineRoute(exported, async ({ runs }, { parts, query }) => {
  const found = await labelled(runs, parts.run!)
  const { sort, column, format, ...meant } = query
  const rows = await meantRows(runs, found, meant, sort)
  await found.table.load(column)
  const names = withCompanions(found.table, column)
  return {
    tag: found.run.manifest.sha256,
    file: {
      name: `${found.run.manifest.id}-features.${format}`,
      type: rowsTypes[format],
      bytes: () => rowsFile(found.table, rows, names, format),
    },
  }
})

/** Texts with more values than this are no choice that one would list. */
const mostValues = 20

export const columnsRoute = defineRoute(columns, async ({ runs }, { parts }) => {
  const { run, table } = await labelled(runs, parts.run!)
  return {
    tag: run.manifest.sha256,
    async value() {
      const columns = []
      for (const name of table.names) columns.push(await columnFacts(table, name))
      return { rows: table.rows, columns }
    },
  }
})

async function columnFacts(table: Table, name: string) {
  const type = table.kind(name)
  const missing = await table.missing(name)
  if (type === 'list') return { name, type, missing, least: null, most: null, values: null }
  const column = table.column(name)
  if (column.kind === 'number') {
    let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (const value of column.values) {
      if (value < least) least = value
      if (value > most) most = value
    }
    const some = missing < table.rows
    return { name, type, missing, least: some ? least : null, most: some ? most : null, values: null }
  }
  const counts = new Map<string, number>()
  for (let row = 0; row < table.rows && counts.size <= mostValues; row++) {
    const value = column.text(row)
    if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1)
  }
  const values = counts.size > mostValues ? null : [...counts].sort().map(([value, count]) => ({ value, count }))
  return { name, type, missing, least: null, most: null, values }
}

export const histogramRoute = defineRoute(histogram, async ({ runs }, { parts, query }) => {
  const found = await labelled(runs, parts.run!)
  const { column: name, bins, scale, ...meant } = query
  await found.table.load([name])
  const column = columnOf(found.table, name)
  if (column.kind !== 'number')
    throw new UserError(`The column ${name} holds texts; a histogram is of numbers.`, {
      fix: 'GET …/columns says what each column holds.',
    })
  const rows = await meantRows(runs, found, meant)
  return {
    tag: found.run.manifest.sha256,
    value: () => ({ column: name, ...histogramOf(column.values, rows, bins, scale), total: rows.length }),
  }
})
