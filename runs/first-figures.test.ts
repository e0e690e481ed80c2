import { expect, test } from 'vitest'
import { figuresFirst } from './first-figures.ts'

test('of a summary those figures stand first that its stage names, in this order; of another stage the first three', () => {
  const summary = { latents: 8, notRun: 0, failed: 3, passed: 1, warning: null, definitions: {} }
  expect(figuresFirst('validate', summary)).toEqual([
    ['passed', 1],
    ['failed', 3],
  ])
  expect(figuresFirst('edit', summary).map(([name]) => name)).toEqual(['latents', 'notRun', 'failed'])
  expect(figuresFirst('toString', {})).toEqual([])
})
