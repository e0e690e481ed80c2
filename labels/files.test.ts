import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UserError } from '../core/errors.ts'
import { Random } from '../core/random.ts'
import { featureOf, testedAs } from './evidence.fixture.ts'
import { jsonLines, readFeatures, writeJsonLines } from './files.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'label-files-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const path = () => join(folder, 'features.jsonl')
const plain = (latent: number) =>
  featureOf(latent, { label: null, labelKind: 'none', rule: null, labelF1: null, promoted: [], meanActivation: null })

describe('features.jsonl', () => {
  test('shows the type of every field in its first lines, and comes back by latent', async () => {
    const many = Array.from({ length: 300 }, (_, latent) => plain(latent))
    many[250] = featureOf(250, { evidence: testedAs({ effect: null }) })
    many[280] = featureOf(280, { evidence: testedAs({ effect: 0.25, intervention: 'steer', dose: 1, concept: 'a' }) })
    await writeJsonLines(path(), many)
    const lines = (await readFile(path(), 'utf8')).split('\n').filter(Boolean)
    const order = lines.map(line => JSON.parse(line).latent as number)
    expect(order.slice(0, 4)).toEqual([0, 250, 280, 1])
    expect([...order].sort((a, b) => a - b)).toEqual(many.map(({ latent }) => latent))
    // What a reader that looks at the first ten lines can learn is all there is to learn.
    const shown = (some: string[]) => new Set(some.flatMap(line => paths(JSON.parse(line))))
    expect(shown(lines.slice(0, 10))).toEqual(shown(lines))
    expect(await readFeatures(folder)).toEqual(many)
  })

  test('names the lines that are no records of this version, the first of them one by one', async () => {
    const lines = jsonLines([0, 1, 2, 3, 4, 5].map(plain)).split('\n')
    lines[0] = lines[0]!.replace('"schema":4', '"schema":99')
    lines[1] = '{"schema":4,'
    lines[2] = lines[2]!.replace('"density":0.02', '"density":"often"')
    lines[3] = lines[3]!.replace('"stability":null', '"stability":null,"stable":1')
    lines[5] = lines[4]!
    await writeFile(path(), lines.join('\n'))
    const error = await readFeatures(folder).catch(error => error)
    expect(error).toBeInstanceOf(UserError)
    expect(error.message).toMatch(
      /line 1 has schema 99, but this version reads 4; line 2 is not JSON \(.*\); line 3 is wrong at density: .*; and so on, 5 lines in all\.$/,
    )
  })

  test('refuses an older file by its schema', async () => {
    await writeFile(path(), '{"schema":1,"latent":0}\n')
    await expect(readFeatures(folder)).rejects.toThrow('line 1 has schema 1, but this version reads 4')
  })

  test('never gives a reader anything but records or a sentence, however it is damaged', async () => {
    const features = [plain(0), featureOf(1, { evidence: testedAs() }), featureOf(2), featureOf(3, { stability: 0.5 })]
    const text = jsonLines(features)
    const random = new Random('mutants')
    let refused = 0
    for (let i = 0; i < 1500; i++) {
      await writeFile(path(), mutant(text, random))
      try {
        for (const { promoted, evidence, hashes } of await readFeatures(folder)) {
          expect(promoted.map(({ token }) => token.length).every(Number.isInteger)).toBe(true)
          expect(evidence === null || typeof evidence.verdict === 'string').toBe(true)
          expect(typeof hashes.sae).toBe('string')
        }
      } catch (error) {
        if (!(error instanceof UserError)) throw error
        expect(error.message).toMatch(/features\.jsonl: line \d/)
        expect(error.message).not.toContain('\n')
        refused++
      }
    }
    expect(refused).toBeGreaterThan(500)
  })
})

/** Every place in a value that holds something. */
function paths(value: unknown, at = ''): string[] {
  if (value === null) return []
  if (Array.isArray(value)) return value.flatMap(item => paths(item, `${at}[]`))
  if (typeof value === 'object') return Object.entries(value).flatMap(([key, part]) => paths(part, `${at}.${key}`))
  return [`${at} ${typeof value}`]
}

/** The text with a value, key or byte of it changed, moved, doubled or gone. */
function mutant(text: string, random: Random): string {
  const lines = text.split('\n').filter(Boolean)
  const at = random.int(lines.length)
  const record = JSON.parse(lines[at]!)
  const values = [null, 0, -1, 1.5, 1e300, '', 'x', [], {}, [null], true, [[1]], { token: 1 }]
  const value = values[random.int(values.length)]
  const keys = Object.keys(record)
  const key = keys[random.int(keys.length)]!
  switch (random.int(6)) {
    case 0:
      record[key] = value
      break
    case 1:
      delete record[key]
      break
    case 2:
      if (record[key] !== null && typeof record[key] === 'object')
        record[key][Object.keys(record[key])[0] ?? 'more'] = value
      else record[`${key}s`] = value
      break
    case 3:
      lines[at] = JSON.stringify(value) ?? ''
      return lines.join('\n')
    case 4: {
      const cut = random.int(lines[at]!.length)
      lines[at] =
        lines[at]!.slice(0, cut) + String.fromCharCode(random.int(256)) + lines[at]!.slice(cut + random.int(3))
      return lines.join('\n')
    }
    default:
      return [...lines, lines[at]!].join('\n')
  }
  lines[at] = JSON.stringify(record)
  return lines.join('\n')
}
