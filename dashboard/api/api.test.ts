import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { addressOf } from './client.ts'
import { type Contract, reads } from './contract.ts'
import { contracts } from './contracts/index.ts'
import { declarationsOf } from './declarations.ts'
import { routes } from './types.ts'

test('types.ts is what the contracts say (npm run api makes it anew)', () => {
  const written = readFileSync(new URL('types.ts', import.meta.url), 'utf8')
  expect(written === declarationsOf(contracts)).toBe(true)
  expect(Object.keys(routes)).toEqual(contracts.map(({ name }) => name))
})

test('a contract that changes changes the types', () => {
  const changed = contracts.map(contract =>
    contract.name === 'runs' ? { ...contract, answer: z.strictObject({ others: z.int() }) } : contract,
  )
  expect(declarationsOf(changed)).not.toBe(declarationsOf(contracts))
})

test('no two routes share a name or an address', () => {
  expect(new Set(contracts.map(({ name }) => name)).size).toBe(contracts.length)
  expect(new Set(contracts.map(({ method, path }) => `${method} ${path}`)).size).toBe(contracts.length)
})

test('schemas become the types that one would write', () => {
  const answer = z.strictObject({
    'a-b': z.number().nullable(),
    list: z.array(z.enum(["it's", 'b'])),
    pair: z.tuple([z.int(), z.string()]),
    open: z.record(z.string(), z.boolean()),
    either: z.union([z.strictObject({ x: z.literal(1) }), z.null()]),
  })
  const query = z.strictObject({ n: z.coerce.number().default(3).describe('How many */ of them') })
  const text = declarationsOf([reads({ name: 'one', path: '/api/{id}', summary: 'One', answer, query }) as Contract])
  expect(text).toContain(`  one: {
    method: 'GET'
    path: '/api/{id}'
    parts: { id: string }
    query: {
      /** How many * / of them */
      n?: number | undefined
    }
    body: undefined
    answer: {
      'a-b': number | null
      list: ('it\\'s' | 'b')[]
      pair: [number, string]
      open: Record<string, boolean>
      either: {
        x: 1
      } | null
    }
    events: never
    file: never
  }`)
})

test('an address holds its parts escaped, and a list as a parameter that comes again', () => {
  const address = addressOf('features', { parts: { run: 'a/b' }, query: { where: ['q<=.05', 'x=1'], sort: undefined } })
  expect(address).toBe('/api/runs/a%2Fb/features?where=q%3C%3D.05&where=x%3D1')
  expect(() => addressOf('run', {})).toThrow(/needs the part run/)
})
