/** What every study of latents is held to: one call a study, with rows that its `measure` gave or a hand wrote. */
import { expect, test } from 'vitest'
import { LatentFindings } from '../contracts/index.ts'
import type { Cell, LatentStudy, StudyRow, StudySettings, TestedLatent } from './study.ts'

const fits: Readonly<Record<string, (value: Cell) => boolean>> = {
  int32: value => Number.isInteger(value),
  uint32: value => Number.isInteger(value) && (value as number) >= 0,
  int64: value => Number.isInteger(value),
  float32: value => Number.isFinite(value),
  float64: value => Number.isFinite(value),
  boolean: value => typeof value === 'boolean',
  string: value => typeof value === 'string' && value !== '',
  'list<float32>': value => Array.isArray(value) && value.every(Number.isFinite),
  'list<int32>': value => Array.isArray(value) && value.every(Number.isInteger),
  'list<string>': value => Array.isArray(value) && value.every(one => typeof one === 'string'),
}

/** Holds a study to its promises on these tested latents. */
export function keepsTheContract<Row extends StudyRow, Found>(
  study: LatentStudy<Row, Found>,
  tested: readonly TestedLatent<Row>[],
  settings: StudySettings,
): void {
  test('its rows fill its columns and no others', () => {
    const wrong: string[] = []
    for (const { rows } of tested)
      for (const row of rows) {
        if (Object.keys(row).sort().join() !== Object.keys(study.columns).sort().join())
          wrong.push(`a row has ${Object.keys(row).join()}`)
        for (const [key, type] of Object.entries(study.columns)) {
          const value = row[key]!
          const fine = value === null ? type.endsWith('?') : fits[type.replace('?', '')]!(value)
          if (!fine) wrong.push(`${key} of type ${type} is ${String(value)}`)
        }
      }
    expect(wrong).toEqual([])
  })

  test('it judges the same rows alike, one finding a latent, and as JSON holds it', () => {
    const found = study.judge(tested, settings)
    expect(found).toHaveLength(tested.length)
    expect(study.judge(tested, settings)).toEqual(found)
    expect(JSON.parse(JSON.stringify(found))).toEqual(found)
    for (const one of found) LatentFindings.parse({ [study.name]: one })
  })

  test('it says nothing of a latent that nothing was measured of', () => {
    const silent = tested.map(one => ({ ...one, rows: [], effects: [] }))
    for (const one of study.judge(silent, settings)) expect(one).toBeNull()
  })
}
