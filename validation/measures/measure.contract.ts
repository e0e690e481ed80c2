/** What every measure is held to, with rows that its `measure` gave. */
import { expect, test } from 'vitest'
import { SaeFindings } from '../contracts/index.ts'
import type { Measure, MeasureRow } from './measure.ts'

/** Holds a measure to its promises; `rows` are asked for when tests run. */
export function keepsTheContract<Row extends MeasureRow, Found>(
  measure: Measure<Row, Found>,
  rows: () => readonly Row[],
): void {
  test(`${measure.name}: its rows fill its columns and no others, with finite numbers`, () => {
    expect(rows().length).toBeGreaterThan(0)
    for (const row of rows()) {
      expect(Object.keys(row).sort()).toEqual(Object.keys(measure.columns).sort())
      for (const [key, type] of Object.entries(measure.columns)) {
        const value = row[key]
        if (value === null) expect(type.endsWith('?'), key).toBe(true)
        else if (/^(int32|float64)/.test(type)) expect(Number.isFinite(value), key).toBe(true)
        else if (type.startsWith('list<int32>')) expect((value as number[]).every(Number.isInteger), key).toBe(true)
        else expect(typeof value, key).toBe('string')
      }
    }
  })

  test(`${measure.name}: it judges the same rows alike and as JSON holds it, and says nothing of none`, () => {
    const found = measure.judge(rows())
    expect(found).not.toBeNull()
    expect(JSON.parse(JSON.stringify(found))).toEqual(found)
    expect(measure.judge(rows())).toEqual(found)
    SaeFindings.parse({ [measure.name]: found })
    expect(measure.judge([])).toBeNull()
  })
}
