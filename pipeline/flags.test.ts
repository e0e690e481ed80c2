import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { parseConfig } from '../core/config.ts'
import { flagsOf, mergeConfig, readConfigFile, readFlag, sectionsOf } from './flags.ts'

const schema = z.strictObject({
  k: z.int().min(1).default(32).describe('Latents kept'),
  rate: z.number().optional(),
  name: z.string().default('x'),
  sites: z.array(z.string()).default([]),
  doses: z.array(z.number()).optional(),
  bos: z.union([z.literal('auto'), z.boolean()]).default('auto'),
  scale: z.union([z.enum(['none', 'mean']), z.number().positive()]).default('none'),
  limit: z.int().nullable().default(null),
  kind: z.enum(['a', 'b']).default('a'),
  parts: z.union([z.literal('all'), z.array(z.enum(['x', 'y']))]).default('all'),
  deep: z.strictObject({ on: z.boolean().default(false).describe('Whether it is on') }).prefault({}),
  dataset: z.strictObject({ path: z.string(), documents: z.int().optional() }).optional(),
  model: z.strictObject({ path: z.string() }),
})
const flag = (key: string) => [...flagsOf(schema), ...sectionsOf(schema)].find(flag => flag.key === key)!
const read = (key: string, ...texts: string[]) => readFlag(flag(key), texts)

test('every key is a flag, nested keys by their dotted path', () => {
  expect(flagsOf(schema).map(({ key }) => key)).toEqual(
    'k rate name sites doses bos scale limit kind parts deep.on dataset.path dataset.documents model.path'.split(' '),
  )
})

test('a flag knows its type, default and description', () => {
  expect(flag('k')).toMatchObject({ type: 'integer', preset: 32, required: false, description: 'Latents kept' })
  expect(flag('rate')).toMatchObject({ type: 'number', preset: undefined })
  expect(flag('bos')).toMatchObject({ type: 'auto|true|false', preset: 'auto' })
  expect(flag('scale').type).toBe('none|mean|number')
  expect(flag('kind').type).toBe('a|b')
  expect(flag('deep.on')).toMatchObject({ type: 'true|false', description: 'Whether it is on' })
})

test('what an optional section asks for is not required, what a needed one asks for is', () => {
  expect(flag('dataset.path').required).toBe(false)
  expect(flag('model.path').required).toBe(true)
})

describe('a flag is read as its type', () => {
  test.each<[string, string[], unknown]>([
    ['k', ['16'], 16],
    ['rate', ['1e-4'], 1e-4],
    ['name', ['42'], '42'],
    ['name', ['true'], 'true'],
    ['sites', ['a,b'], ['a', 'b']],
    ['sites', ['a', 'b'], ['a', 'b']],
    ['sites', ['[a, b]'], ['a', 'b']],
    ['doses', ['0.5, 1,2'], [0.5, 1, 2]],
    ['bos', ['true'], true],
    ['bos', ['auto'], 'auto'],
    ['scale', ['2'], 2],
    ['scale', ['mean'], 'mean'],
    ['limit', ['null'], null],
    ['parts', ['all'], 'all'],
    ['parts', ['x'], ['x']],
    ['parts', ['x,y'], ['x', 'y']],
    ['dataset', ['toyworld'], { path: 'toyworld' }],
    ['dataset', ['{path: x, documents: 3}'], { path: 'x', documents: 3 }],
  ])('%s %j', (key, texts, value) => expect(read(key, ...texts)).toEqual(value))

  test('what has commas is a list that fits nothing, where a list is one of the forms', () => {
    expect(readFlag(flag('parts'), ['x,z'])).toEqual(['x', 'z'])
    expect(readFlag(flag('bos'), ['x,z'])).toBe('x,z')
  })

  test('and left for the schema to complain about when it fits nothing', () => {
    expect(read('k', 'many')).toBe('many')
    const config = mergeConfig(schema, { model: 'm' }, new Map([['k', read('k', 'many')]]))
    expect(() => parseConfig(schema, config, 'train')).toThrow('train key k is "many"')
  })
})

describe('file and flags', () => {
  const merge = (file: Record<string, unknown>, flags: [string, unknown][]) => mergeConfig(schema, file, new Map(flags))

  test('flags win over the file, key by key', () => {
    expect(merge({ k: 1, dataset: { path: 'a', documents: 5 } }, [['dataset.path', 'b']])).toEqual({
      k: 1,
      dataset: { path: 'b', documents: 5 },
    })
  })

  test('a string for a section with a path is that path, in both', () => {
    expect(merge({ dataset: 'toyworld' }, [['dataset.documents', 3]])).toEqual({
      dataset: { path: 'toyworld', documents: 3 },
    })
    expect(
      merge({}, [
        ['dataset.documents', 3],
        ['dataset', { path: 'toyworld' }],
      ]),
    ).toEqual({ dataset: { path: 'toyworld', documents: 3 } })
  })

  test('an empty section is one with defaults', () => expect(merge({ deep: null }, [])).toEqual({ deep: {} }))

  test('the file is left as it was', () => {
    const file = { dataset: { path: 'a' } }
    merge(file, [['dataset.path', 'b']])
    expect(file).toEqual({ dataset: { path: 'a' } })
  })
})

test.each([
  ['an unknown tag', 'name: !!js/function "function () {}"\n', /Unresolved tag: .*js\/function at line 1, column 7\.$/],
  ['a tag of one’s own', 'name: a\nk: !foo b\n', /Unresolved tag: !foo at line 2, column 4\.$/],
  ['a key twice', 'name: a\nname: b\n', /Map keys must be unique at line 2, column 1\.$/],
  ['several documents', 'name: a\n---\nname: b\n', /multiple documents at line 2, column 1\.$/],
  ['an anchor that is none', 'name: *a\n', /Unresolved alias/],
])('a config file with %s is refused in one sentence, and nothing else is said', async (_, text, sentence) => {
  const folder = mkdtempSync(join(tmpdir(), 'flags-'))
  const warned: unknown[] = []
  const listen = (warning: unknown) => warned.push(warning)
  process.on('warning', listen)
  try {
    writeFileSync(join(folder, 'a.yaml'), text)
    const { message } = await readConfigFile(join(folder, 'a.yaml')).catch(error => error)
    expect(message).toMatch(sentence)
    expect(message).toMatch(/^The config file [^\n]* is not YAML of plain values: [^\n]*$/)
    await new Promise(setImmediate)
    expect(warned).toEqual([])
  } finally {
    process.off('warning', listen)
    rmSync(folder, { recursive: true })
  }
})

test('a flag that looks like a tag is its text', () => {
  const schema = z.strictObject({ name: z.union([z.int(), z.string()]) })
  expect(readFlag(flagsOf(schema)[0]!, ['!draft'])).toBe('!draft')
})

test('the name of an example leads to where it lies, wherever one is', async () => {
  const { message, fix } = await readConfigFile('/nowhere/examples/demo.yaml').catch(error => error)
  expect(message).toBe('There is no config file at /nowhere/examples/demo.yaml.')
  expect(fix).toMatch(/^The example of that name is .*examples\/demo\.yaml\.$/)
  expect((await readConfigFile('/nowhere/other.yaml').catch(error => error)).fix).toBe('Check the path.')
})
