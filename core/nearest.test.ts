import { expect, test } from 'vitest'
import { UserError } from './errors.ts'
import { editDistance, mustKnow, nearest } from './nearest.ts'

test('an edit inserts, deletes or replaces a letter, or swaps two neighbours', () => {
  expect(editDistance('layer', 'layer')).toBe(0)
  expect(editDistance('layr', 'layer')).toBe(1)
  expect(editDistance('layre', 'layer')).toBe(1)
  expect(editDistance('kitten', 'sitting')).toBe(3)
  expect(editDistance('', 'abc')).toBe(3)
})

test('the nearest names come first, ties in the order given', () => {
  expect(nearest('tokns', ['site', 'token', 'tokens'], 2)).toEqual(['tokens', 'token'])
  expect(nearest('x', ['b', 'a'], 3)).toEqual(['b', 'a'])
})

test('what was cut short means the name that it begins', () => {
  expect(nearest('runs', ['k', 'runs-dir'], 1)).toEqual(['runs-dir'])
  expect(nearest('Prec', ['k', 'precision'], 1)).toEqual(['precision'])
})

test('a name that is not among the known ones is refused, with the nearest', () => {
  const refusal = (names: string[], known: string[]) => {
    try {
      mustKnow(names, known, { key: 'concepts', what: 'the text has no concept' })
    } catch (error) {
      return error as UserError
    }
    return undefined
  }
  expect(refusal(['a'], ['a', 'b'])).toBeUndefined()
  expect(refusal(['colour', 'colr'], ['gender', 'color', 'colour', 'size'])).toMatchObject({
    message: 'concepts names colr, but the text has no concept of that name.',
    fix: 'Did you mean color, colour, size? There are 4.',
  })
  expect(refusal(['x\u202e'], [])).toMatchObject({ fix: 'It has none: leave concepts out.' })
  expect(refusal(['x\u202e'], [])!.message).not.toContain('\u202e')
  expect(refusal(['x'], [])).toBeInstanceOf(UserError)
})
