import { describe, expect, test } from 'vitest'
import { silent } from '../../core/progress.ts'
import { Random } from '../../core/random.ts'
import type { Capture, CaptureManifest } from '../../datasets/shards/index.ts'
import { captureDrift } from './drift.ts'

const width = 3
const site = 'blocks.0.hook_resid_post'

interface Making {
  readonly seed: number
  /** First document, of which forty follow. */
  readonly from?: number
  /** Added to the first dimension in documents of this language. */
  readonly shift?: { readonly language: string; readonly by: number }
  /** Rows of a document, of 64 tokens; eight where not given. */
  readonly rows?: number
  /** Deviation of the rows of a document; .3 where not given. */
  readonly spread?: number
  /** What else the manifest says. */
  readonly manifest?: object
}

/** A capture in memory: forty documents about as many places, a few rows of each; every other is Finnish. */
function captured({ seed, from = 0, shift, rows: own = 8, spread = 0.3, manifest: others }: Making): Capture {
  const random = new Random('rows', seed)
  const documents = Array.from({ length: 40 }, (_, i) => from + i)
  const values: number[] = []
  const columns = { document: [] as number[], stratum: [] as number[], position: [] as number[] }
  for (const document of documents) {
    const place = new Random('place', document).normals(width)
    const language = document % 2 === 0 ? 'fi' : 'en'
    for (let row = 0; row < own; row++) {
      columns.document.push(document)
      columns.stratum.push(language === 'en' ? 0 : 1)
      columns.position.push(row)
      for (let i = 0; i < width; i++)
        values.push(2 + place[i]! + spread * random.normal() + (i === 0 && shift?.language === language ? shift.by : 0))
    }
  }
  const rows = columns.document.length
  const strata = ['en', 'fi'].map((language, index) => ({
    ...{ index, values: { language }, population: 100 + 10 * seed, sample: own * 20, probability: own / 64 },
  }))
  const manifest = {
    windows: null,
    ...{ model: { hash: 'm' }, tokenizer: { hash: 't' }, dataset: { hash: `from ${from}` }, dtype: 'float32', seed },
    sampling: { allocation: 'proportional', fields: ['language'], strata },
    ...others,
  } as unknown as CaptureManifest
  const read = async (_: string, wanted: ArrayLike<number>) =>
    Float32Array.from(Array.from(wanted).flatMap(row => values.slice(row * width, (row + 1) * width)))
  return {
    ...{ directory: `capture-${seed}`, manifest, rows, sites: [{ name: site, width }], read },
    columns: async () => ({
      document: Uint32Array.from(columns.document),
      stratum: Uint16Array.from(columns.stratum),
      position: Uint16Array.from(columns.position),
      ...{ token: new Int32Array(rows), weight: new Float32Array(rows).fill(64 / own) },
    }),
    readRange: () => Promise.reject(new Error('not read')),
    readRanges: () => Promise.reject(new Error('not read')),
    placeOf: row => `row ${row}`,
    verify: async () => {},
    close() {},
  }
}

const compare = (a: Making, b: Making, draws = 199) =>
  captureDrift(captured(a), captured(b), { documents: 100, draws, seed: 0, progress: silent })
/** The strata whose cells drift at .01. */
const drifted = ({ cells }: Awaited<ReturnType<typeof compare>>) =>
  cells
    .filter(({ measures }) => measures.some(({ adjusted }) => adjusted !== null && adjusted <= 0.01))
    .map(({ stratum }) => stratum?.language ?? 'all')

describe('two captures', () => {
  test('that are one and the same differ in nothing, whatever rounding makes of it', async () => {
    const { cells } = await compare({ seed: 1 }, { seed: 1 })
    const told = cells.flatMap(({ measures }) => measures).filter(({ p }) => p !== null)
    expect(told.length).toBeGreaterThan(0)
    expect(new Set(told.map(({ p }) => p))).toEqual(new Set([1]))
  })

  test('of the same text with other seeds do not drift', async () => {
    const alarms = []
    for (let seed = 1; seed <= 6; seed++) alarms.push(...drifted(await compare({ seed: 0 }, { seed }, 99)))
    expect(alarms.length).toBeLessThan(2)
    const { cells, notes } = await compare({ seed: 0 }, { seed: 3 })
    expect(drifted({ cells, notes, composition: null })).toEqual([])
    expect(cells.map(({ stratum, documents }) => [stratum, documents])).toEqual([
      [null, [40, 40]],
      [{ language: 'en' }, [20, 20]],
      [{ language: 'fi' }, [20, 20]],
    ])
    expect(notes).toEqual(['Their seeds are different.'])
  })

  test('of the same text at another rate do not drift: as many rows of each document are compared', async () => {
    const found = await compare({ seed: 0, rows: 4, spread: 3 }, { seed: 1, rows: 64, spread: 3 })
    expect(drifted(found)).toEqual([])
    expect(found.notes).toContain(
      'About 160 of the 2,560 rows of the second capture are compared, so that both are sampled at the same rates.',
    )
  })

  test('of other documents of the same language do not drift either', async () =>
    expect(drifted(await compare({ seed: 0 }, { seed: 1, from: 100 }))).toEqual([]))

  test('of which one is shifted in one language drift there, and the other language does not', async () => {
    const found = await compare({ seed: 0 }, { seed: 1, from: 100, shift: { language: 'fi', by: 3 } })
    expect(drifted(found)).toContain('fi')
    expect(drifted(found)).not.toContain('en')
    const [, en, fi] = found.cells
    const frechet = (cell: typeof en) => cell!.measures.find(({ name }) => name === 'frechet')!
    expect(frechet(fi).value! / frechet(fi).expected!).toBeGreaterThan(2)
    expect(frechet(en).value! / frechet(en).expected!).toBeLessThan(1.8)
  })

  test('of the same text by a model that changed a little drift', async () => {
    const shift = { language: 'en', by: 0.3 }
    expect(drifted(await compare({ seed: 0 }, { seed: 1, shift }, 399))).toContain('en')
    // The same among other documents is lost in what documents differ by.
    expect(drifted(await compare({ seed: 0 }, { seed: 1, from: 100, shift }, 399))).toEqual([])
  })

  test('of which one lacks a stratum are of other populations, and the stratum is named', async () => {
    const whole = captured({ seed: 0 })
    const [english] = whole.manifest.sampling.strata
    const sampling = { ...whole.manifest.sampling, strata: [english!] }
    const lacking = { ...whole, manifest: { ...whole.manifest, sampling } }
    const options = { documents: 9, draws: 99, seed: 0, progress: silent }
    const { composition, notes } = await captureDrift(whole, lacking, options)
    // A half against all, and a half against nothing.
    expect(composition).toBeCloseTo(0.5 * Math.log(2) + (0.5 - 1e-4) * Math.log(0.5 / 1e-4), 6)
    expect(notes).toContain('1 stratum is in the first capture alone: language fi.')
  })

  test('that are sampled by other bands have no populations to compare', async () => {
    const banded = (seed: number, positionBands: number[]) => {
      const made = captured({ seed })
      const sampling = { ...made.manifest.sampling, fields: ['language', 'position'], positionBands }
      return { ...made, manifest: { ...made.manifest, sampling } }
    }
    const options = { documents: 9, draws: 99, seed: 0, progress: silent }
    expect(await captureDrift(banded(0, [8]), banded(1, [16]), options)).toMatchObject({
      composition: null,
      notes: [
        'They are sampled by other fields or bands, so that their populations are not compared.',
        'Their seeds are different.',
      ],
    })
    expect((await captureDrift(banded(0, [8]), banded(1, [8]), options)).composition).toBe(0)
  })

  test('of windows cut otherwise are not said to be of other texts', async () => {
    const cut = (seed: number, context: number, packing: string, duplicates: number) =>
      captured({
        seed,
        manifest: {
          dataset: { hash: `${context}`, context, bos: true, documents: 40, config: { packing, seed: 0 } },
          audit: { documents: { duplicates: { rows: duplicates } } },
        },
      })
    const options = { documents: 9, draws: 99, seed: 0, progress: silent }
    const { notes } = await captureDrift(cut(0, 64, 'document', 0), cut(0, 16, 'concatenate', 0.25), options)
    expect(notes).toEqual([
      'Their texts, or the windows that these are cut into, are different: context 64 and 16, packing document and concatenate.',
      'Copies of other documents give 0 % of the rows of the first and 25 % of the second; each counts as a document.',
    ])
  })

  test('of other sites are refused', async () => {
    const other = { ...captured({ seed: 1 }), sites: [{ name: site, width: 5 }] }
    const attempt = captureDrift(captured({ seed: 0 }), other, { documents: 9, draws: 99, seed: 0, progress: silent })
    await expect(attempt).rejects.toThrow(/have no site in common: blocks\.0\.hook_resid_post \(3\); and .* \(5\)/)
  })
})
