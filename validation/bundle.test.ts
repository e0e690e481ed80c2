/** A bundle, copied elsewhere, with one thing changed at a time. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silent } from '../core/progress.ts'
import { memoryMetrics } from '../core/stage.ts'
import { startEngine } from '../engine/engine.ts'
import { fakeDataset, fakeModel, fakeSae } from '../latents/fake.fixture.ts'
import { valueProblems, verifyBundle, writeBundle } from './bundle.ts'
import { ValidateConfig } from './config.ts'
import { Evidence } from './evidence.ts'
import { recomputeFrom } from './recompute.ts'
import { validate } from './validate.ts'

let home: string
let original: string
let copies = 0
const long = Boolean(process.env.PIPELINE_LONG)

beforeAll(async () => {
  await startEngine()
  home = await mkdtemp(join(tmpdir(), 'bundle-'))
  original = join(home, 'run')
  const config = ValidateConfig.parse({
    ...{ latents: [0, 7], documents: 5, bootstrap: 200, tokens: 2000, maxTokens: 400, doses: [1] },
    ...{ controls: { tied: 19, random: 19, foreign: 19 }, shuffles: 99, studies: ['transfer'] },
    outOfDistribution: { strata: { half: ['odd'] } },
  })
  const [model, sae] = [fakeModel(), fakeSae()]
  const signal = new AbortController().signal
  const context = { directory: original, seed: 3, progress: silent, signal, metrics: memoryMetrics() }
  await validate(context, { model, sae, dataset: fakeDataset(120), config })
  model.dispose()
  sae.dispose()
})
afterAll(() => rm(home, { recursive: true, force: true }))

/** A copy of the bundle in a folder of its own. */
async function copy(): Promise<string> {
  const directory = join(home, `copy-${copies++}`)
  await cp(original, directory, { recursive: true })
  return directory
}

type Path = readonly (string | number)[]

/** Every plain value of a JSON value, by path. */
function leavesOf(value: unknown, path: Path = []): Path[] {
  if (value === null || typeof value !== 'object') return [path]
  return Object.entries(value).flatMap(([key, part]) =>
    leavesOf(part, [...path, Array.isArray(value) ? Number(key) : key]),
  )
}

/** The value with another one at the path: a digit changed, a letter added, a truth turned. */
function changed(value: unknown, path: Path): unknown {
  const copy = structuredClone(value)
  let part = copy as Record<string | number, unknown>
  for (const key of path.slice(0, -1)) part = part[key] as typeof part
  const last = path.at(-1)!
  const old = part[last]
  part[last] =
    typeof old === 'number'
      ? old + (Number.isInteger(old) ? 1 : old * 1e-9 || 1e-9)
      : typeof old === 'boolean'
        ? !old
        : old === null
          ? 0.5
          : `${old}x`
  return copy
}

describe('a bundle', () => {
  test('holds in a copied folder, and says what only hashes hold', async () => {
    const found = await verifyBundle(await copy())
    expect(found.problems).toEqual([])
    expect(found.features).toBe(2)
    expect(found.recomputed).toBeGreaterThan(found.hashed / 20)
    expect(found.hashedOnly).toContain('splits')
    expect(found.hashedOnly).not.toContain('reconstruction')
    expect(found.hashedOnly).not.toContain('features')
  })

  test('names a file with one byte changed, one that is gone, and one that came along', async () => {
    for (const name of [
      'claims.json',
      'effects.parquet',
      'selectivity.parquet',
      'reconstruction.parquet',
      'study-transfer.parquet',
      'bundle.json',
    ]) {
      const directory = await copy()
      const bytes = await readFile(join(directory, name))
      const at = Math.floor(bytes.length / 2)
      bytes[at] = bytes[at]! ^ 1
      await writeFile(join(directory, name), bytes)
      const { problems } = await verifyBundle(directory)
      expect(problems.length, name).toBeGreaterThan(0)
      if (name !== 'bundle.json') expect(problems.map(({ what }) => what)).toContain(name)
    }
    const directory = await copy()
    await rm(join(directory, 'selectivity.parquet'))
    await writeFile(join(directory, 'study-other.parquet'), 'x')
    const { problems } = await verifyBundle(directory)
    expect(problems).toContainEqual({ what: 'selectivity.parquet', problem: 'is missing' })
    expect(problems).toContainEqual({ what: 'study-other.parquet', problem: 'is not in bundle.json' })
  })

  test('of another version says which it is', async () => {
    const directory = await copy()
    const file = join(directory, 'evidence.json')
    await writeFile(file, (await readFile(file, 'utf8')).replace('"schema": 5', '"schema": 4'))
    const { problems } = await verifyBundle(directory)
    expect(problems.map(({ problem }) => problem).join()).toContain('has the schema 4, where this version reads 5')
  })

  test('names each changed value of evidence.json, or its section, even where the file’s own hash was forged', async () => {
    const text = await readFile(join(original, 'evidence.json'), 'utf8')
    const evidence = JSON.parse(text)
    const claims = JSON.parse(await readFile(join(original, 'claims.json'), 'utf8'))
    const bundle = JSON.parse(await readFile(join(original, 'bundle.json'), 'utf8'))
    const leaves = leavesOf(evidence)

    const step = long ? 1 : Math.ceil(leaves.length / 12)
    const again = await recomputeFrom(original, Evidence.parse(evidence))
    const missed: string[] = []
    const { hashValue } = await import('../core/hash.ts')
    for (let i = 5 % step; i < leaves.length; i += step) {
      const path = leaves[i]!
      const other = changed(evidence, path)
      const section = String(path[0])
      const parsed = Evidence.safeParse(other)
      if (!parsed.success) continue // refused when it is read, with its path
      // What recomputing starts from changes what it gives; all else is held to what the tables gave.
      const starts =
        ['config', 'strata', 'seed', 'splits'].includes(section) ||
        path.includes('claim') ||
        path.includes('nullMaxima')
      const found = starts ? [] : valueProblems(parsed.data, claims, again)
      const byValue = found.some(({ what }) => what === path.join('.') || what.startsWith(section))
      const byHash = hashValue(parsed.data[section as keyof Evidence]) !== bundle.sections[section]
      if (!byValue && !byHash) missed.push(path.join('.'))
      const follows = ['features', 'studies', 'reconstruction', 'definitions'].includes(section)
      if (follows && !starts && !byValue) missed.push(`${path.join('.')} by value`)
    }
    expect(missed).toEqual([])
  })

  test('with every hash forged, a changed effect, verdict or claim is still named by its path', async () => {
    const changes: [string, (one: Evidence['features'][number]) => object][] = [
      [
        'features.0.ablate.metrics.target.effect.mean',
        ({ ablate }) => Object.assign(ablate!.metrics.target.effect, { mean: -0.5 }),
      ],
      ['features.0.verdict', one => Object.assign(one, { verdict: 'not-run' })],
      ['features.0.tier.tier', ({ tier }) => Object.assign(tier, { tier: 'proposed' })],
      ['features.0.claim.smallestEffect', ({ claim }) => Object.assign(claim, { smallestEffect: 0.001 })],
      ['features.0.studies.transfer.ratio', ({ studies }) => Object.assign(studies.transfer!, { ratio: 0.1 })],
    ]
    for (const [path, change] of long ? changes : changes.slice(0, 4)) {
      const directory = await copy()
      const file = join(directory, 'evidence.json')
      const evidence = JSON.parse(await readFile(file, 'utf8')) as Evidence
      change(evidence.features[0]!)
      await writeFile(file, JSON.stringify(evidence))
      await writeBundle(directory)
      const { problems } = await verifyBundle(directory)
      expect(problems.map(({ what }) => what)).toContain(path)
    }
  })
})
