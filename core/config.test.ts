import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { keysOf, parseConfig, unwrap } from './config.ts'
import type { UserError } from './errors.ts'

const schema = z.strictObject({
  latents: z.int().min(1),
  site: z.string().optional(),
  inner: z
    .strictObject({ rate: z.number().default(0.1), deep: z.strictObject({ x: z.number() }).optional() })
    .prefault({}),
})

test('keys are listed with those below them', () => {
  expect(keysOf(schema)).toEqual(['latents', 'site', 'inner', 'inner.rate', 'inner.deep', 'inner.deep.x'])
  expect(keysOf(z.string())).toEqual([])
})

test('a schema is found inside whatever wraps it', () => {
  const inner = z.int()
  expect(unwrap(inner.nullable().optional().default(3))).toBe(inner)
})

describe('a config', () => {
  test('is given back with its defaults', () => {
    expect(parseConfig(schema, { latents: 4 }, 'config')).toEqual({ latents: 4, inner: { rate: 0.1 } })
  })

  const refusal = (value: unknown): UserError => {
    try {
      parseConfig(schema, value, 'config')
    } catch (error) {
      return error as UserError
    }
    throw new Error('it was taken')
  }

  test.each([
    [{ latents: 4, latent: 3 }, 'config has no key latent.', 'Did you mean latents?'],
    [{ latents: 4, inner: { rat: 3 } }, 'config has no key inner.rat.', 'Did you mean inner.rate?'],
    [{}, 'config needs the key latents.', undefined],
    [{ latents: 4, inner: { deep: {} } }, 'config needs the key inner.deep.x.', undefined],
  ])('%j is refused by name', (value, message, fix) => {
    expect(refusal(value)).toMatchObject({ exitCode: 1, message, fix })
  })

  test('of a wrong value says key, value and rule', () => {
    expect(refusal({ latents: 0 }).message).toMatch(/^config key latents is 0: .*>=1\.$/)
    expect(refusal({ latents: 4, inner: { rate: 'x' } }).message).toMatch(/^config key inner\.rate is "x": .*number/)
    expect(refusal(7).message).toMatch(/^config is 7: .*object/)
  })

  test('of a value of none of several forms says what each of them asks for', () => {
    const latents = z.union([z.literal('auto'), z.int(), z.array(z.int())])
    const rule =
      'Invalid input: expected "auto", or expected number, received string, or expected array, received string.'
    expect(() => parseConfig(z.object({ latents }), { latents: 'all' }, 'it')).toThrow(
      `it key latents is "all": ${rule}`,
    )
  })

  test('of a value that is none of its choices names them, the one that was meant, and the key that takes a file', () => {
    const choices = z.object({ claims: z.enum(['auto', 'concept', 'firing']), claimsFile: z.string().optional() })
    const refused = (claims: string) => {
      try {
        parseConfig(choices, { claims }, 'it')
      } catch (error) {
        return error
      }
      throw new Error('it was taken')
    }
    const message = 'it key claims is "concepts": expected "auto", "concept" or "firing".'
    expect(refused('concepts')).toMatchObject({ message, fix: 'Did you mean concept?' })
    expect(refused('./mine.yaml')).toMatchObject({ fix: 'A file is named by claimsFile.' })
    expect((refused('nothing alike') as UserError).fix).toBeUndefined()
  })

  test('tells all that is wrong in one sentence', () => {
    const { message } = refusal({ latents: 'a', site: 3, more: 1 })
    expect(message.split('; ')).toHaveLength(3)
    expect(message).toMatch(/^[^\n]*\.$/)
  })
})
