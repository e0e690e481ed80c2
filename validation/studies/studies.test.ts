import { expect, test } from 'vitest'
import { LatentFindings, SaeFindings } from '../contracts/index.ts'
import { latentStudies, saeStudies } from './index.ts'

test('every study has its evidence under its name, and none twice', () => {
  expect(latentStudies.map(({ name }) => name).sort()).toEqual(Object.keys(LatentFindings.shape).sort())
  expect(saeStudies.map(({ name }) => name).sort()).toEqual(Object.keys(SaeFindings.shape).sort())
  const all = [...latentStudies, ...saeStudies].map(({ name }) => name)
  expect(new Set(all).size).toBe(all.length)
})

test('every study asks a question and says what its numbers mean', () => {
  for (const { question, definitions, columns } of [...latentStudies, ...saeStudies]) {
    expect(question.endsWith('?')).toBe(true)
    expect(Object.keys(definitions).length).toBeGreaterThan(0)
    expect(Object.keys(columns)).not.toContain('feature')
  }
})
