import { describe, expect, test } from 'vitest'
import { mustBeFinite, mustKnowKeys, mustKnowTensors } from './said.ts'

describe('a key of a config', () => {
  const known = { read: ['k'], harmless: ['lr'], only: { signed: [false], kind: ['a', 'b'] } }
  const says = (config: Record<string, unknown>) => () => mustKnowKeys(config, known, 'cfg.json')
  test('that is read, or known to change nothing, passes', () => expect(says({ k: 3, lr: 'x' })).not.toThrow())
  test('that is null says nothing', () => expect(says({ shift: null })).not.toThrow())
  test('that nobody knows is refused by name', () => {
    expect(says({ k: 3, shift: [1, 2] })).toThrow('cfg.json says that shift is [1,2]; that key is not known')
    expect(says({ constructor: 1 })).toThrow('constructor is 1')
  })
  test('may be bound to what can be done', () => {
    expect(says({ signed: false, kind: 'b' })).not.toThrow()
    expect(says({ signed: true })).toThrow('cfg.json says that signed is true; only false can be read')
    expect(says({ kind: 'c' })).toThrow('says that kind is "c"; only "a" and "b" can be read')
  })
})

test('a tensor that nobody asks for is refused by name', () => {
  expect(() => mustKnowTensors(['W_enc'], ['W_enc', 'b_enc'], 'x')).not.toThrow()
  expect(() => mustKnowTensors(['W_enc', 'b_mag'], ['W_enc'], 'x')).toThrow('x holds b_mag, which is not used')
})

test('weights are numbers; a threshold may be infinite, so that its latent never fires', () => {
  expect(() => mustBeFinite('W_enc', Float32Array.of(1, Number.NaN), 'x')).toThrow(
    'W_enc in x holds NaN (its number 1)',
  )
  expect(() => mustBeFinite('b_enc', Float32Array.of(Number.POSITIVE_INFINITY), 'x')).toThrow('holds Infinity')
  expect(() => mustBeFinite('threshold', Float32Array.of(Number.POSITIVE_INFINITY), 'x')).not.toThrow()
  expect(() => mustBeFinite('threshold', Float32Array.of(Number.NaN), 'x')).toThrow('threshold in x holds NaN')
})
