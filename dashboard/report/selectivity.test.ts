import { expect, test } from 'vitest'
import type { RocPoint } from '../api/contracts/feature.ts'
import { placeOf, stillRoc } from './selectivity.ts'

const share = (value: number) => ({ value, low: null, high: null })
const point = (threshold: number, recall: number, precision: number): RocPoint => ({
  ...{ threshold, truePositives: 10 * recall, falsePositives: 1, recall: share(recall), precision: share(precision) },
  falseAlarms: 0.1,
})
// F1 .18, .67, .57.
const points = [point(4, 0.1, 1), point(3, 0.6, 0.75), point(1, 1, 0.4)]

test('the threshold that is shown is the lowest not below the one asked for, and without one that of the best F1', () => {
  expect(['', '5', '3.5', '3', '2', '0', 'x'].map(asked => placeOf(points, asked))).toEqual([1, 0, 0, 1, 1, 2, 1])
})

test('a page that nobody can ask again says what the best threshold gives, and draws the curve; nothing where it never fired', () => {
  const found = {
    concept: 'red <b>',
    evidenceRun: 'run',
    tokens: 100,
    positives: 10,
    documents: 4,
    auroc: 0.875,
    points,
  }
  const html = stillRoc(found, 7)
  expect(html).toContain('Called from 3 on: recall 0.6, precision 0.75')
  expect(html).toContain('Telling red &#60;b&#62; from other tokens: AUROC 0.875')
  expect(html).toContain('<svg class="roc"')
  expect(stillRoc({ ...found, points: [] }, 7)).toBe('')
})
