import { expect, test } from 'vitest'
import { z } from 'zod'
import { parseConfig } from './config.ts'
import { eachOnce } from './each-once.ts'

const Schema = z.strictObject({
  names: eachOnce(z.array(z.string())).default([]),
  sizes: z.union([z.literal('auto'), eachOnce(z.array(z.number()).min(1))]).default('auto'),
})
const parse = (value: unknown) => parseConfig(Schema, value, 'the settings')

test('a list whose entries differ is as it was given, with defaults and other rules as they were', () => {
  expect(parse({ names: ['b', 'a'], sizes: [1, -1] })).toEqual({ names: ['b', 'a'], sizes: [1, -1] })
  expect(parse({})).toEqual({ names: [], sizes: 'auto' })
  expect(() => parse({ sizes: [] })).toThrow('sizes')
})

test('an entry that is there twice is refused by key and value, also within a choice of forms', () => {
  expect(() => parse({ names: ['a', 'b', 'a'] })).toThrow(
    'the settings key names is ["a","b","a"]: it names "a" twice, where each stands once.',
  )
  expect(() => parse({ sizes: [0, -0] })).toThrow('the settings key sizes is [0,0]: it names 0 twice')
})

test('of a choice of forms that has a list, what is wrong with an entry is said of that entry', () => {
  const one = () => parse({ sizes: [1, 'x'] })
  expect(one).toThrow('sizes is [1,"x"]: of its entry 1, Invalid input: expected number, received string.')
})
