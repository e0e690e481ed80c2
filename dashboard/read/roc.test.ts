import { expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { auroc } from '../../statistics/association/auroc.ts'
import { rocOf, type SelectivityWindow } from './roc.ts'

test('counts by hand: called tokens, recall, precision, and the area with silent tokens as ties', () => {
  const windows: SelectivityWindow[] = [
    { document: 'a', tokens: 4, positions: [1, 2], activations: [3, 1], labelled: [1, 4] },
    { document: 'b', tokens: 4, positions: [2, 3], activations: [2, 1], labelled: [2] },
  ]
  const found = rocOf(windows, 10)
  expect(found).toMatchObject({ tokens: 8, positives: 3, documents: 2 })
  expect(
    found.points.map(({ threshold, truePositives, falsePositives }) => [threshold, truePositives, falsePositives]),
  ).toEqual([
    ...[
      [3, 1, 0],
      [2, 2, 0],
      [1, 2, 2],
    ],
  ])
  expect(found.points[1]!.recall.value).toBeCloseTo(2 / 3, 12)
  expect(found.points[2]!.precision.value).toBe(0.5)
  expect(found.points[2]!.falseAlarms).toBe(2 / 5)
  // Of 15 pairs 10 are in order and 3, of two silent tokens each, are even.
  expect(found.auroc).toBeCloseTo((10 + 1.5) / 15, 12)
  // One document alone has no interval, and recall by document is 1 of 2 and 1 of 1.
  expect(rocOf(windows.slice(0, 1), 10).points[0]!.recall).toEqual({ value: 0.5, low: null, high: null })
  expect(rocOf([], 10)).toEqual({ tokens: 0, positives: 0, documents: 0, auroc: null, points: [] })
})

test('has the area that ranks give, however few thresholds are shown, and shares within 0 and 1', () => {
  const random = new Random('roc', 1)
  const windows = Array.from({ length: 12 }, (_, document): SelectivityWindow => {
    const at = Array.from({ length: 30 }, (_, position) => position + 1)
    const labelled = at.filter(() => random.uniform() < 0.2)
    const positions = at.filter(position => random.uniform() < (labelled.includes(position) ? 0.8 : 0.3))
    const activations = positions.map(
      position => Math.ceil(6 * random.uniform()) + (labelled.includes(position) ? 2 : 0),
    )
    return { document: `d${document}`, tokens: 30, positions, activations, labelled }
  })
  const scores: number[] = []
  const labels: number[] = []
  for (const { positions, activations, labelled } of windows)
    for (let position = 1; position <= 30; position++) {
      const place = Array.from(positions).indexOf(position)
      scores.push(place < 0 ? 0 : activations[place]!)
      labels.push(Array.from(labelled).includes(position) ? 1 : 0)
    }
  const found = rocOf(windows, 3)
  expect(found.auroc).toBeCloseTo(auroc(scores, labels), 12)
  expect(found.points).toHaveLength(3)
  let bounded = 0
  for (const { threshold, truePositives, recall, precision } of found.points) {
    expect(truePositives).toBe(scores.filter((score, i) => score >= threshold && labels[i] === 1).length)
    for (const { value, low, high } of [recall, precision]) {
      if (low === null) continue
      bounded++
      expect(low!).toBeGreaterThanOrEqual(0)
      expect(high!).toBeLessThanOrEqual(1)
      expect(low! <= value! && value! <= high!).toBe(true)
    }
  }
  expect(bounded).toBeGreaterThan(2)
})
