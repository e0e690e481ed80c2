/** What every form of labels keeps to: it is read back as it was written, tells by content whose labels they are, and refuses the rest. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UserError } from '../../core/errors.ts'
import { madeUpHashes } from '../evidence.fixture.ts'
import { fileOf, writeFolder } from '../export.ts'
import { provenBelonging } from './belonging.ts'
import type { LabelFormat, LabelSource } from './format.ts'

/** Runs the contract; `source` has labels with quotes, commas, line breaks and formulas in them. */
export function describeLabelFormat(format: LabelFormat, source: LabelSource): void {
  describe(`the form ${format.name}`, () => {
    let folder: string
    let place: string
    const write = async (to: string) => {
      if (format.ending === undefined) return writeFolder(format, source, to)
      await writeFile(to, await fileOf(format, source))
      return []
    }
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'label-format-'))
      place = join(folder, `labels${format.ending ?? ''}`)
      await write(place)
    })
    afterAll(() => rm(folder, { recursive: true, force: true }))

    test('gives back every label, with its concept', async () => {
      const { labels } = await format.read(place)
      const expected = source.features
        .filter(({ label }) => label !== null)
        .map(({ latent, label, labelKind, rule }) => ({
          ...{ latent, label },
          concept: labelKind === 'concept' ? rule!.concept : null,
          sae: madeUpHashes.sae,
        }))
      const bySize = [...labels].sort((a, b) => a.latent - b.latent)
      const scored = format.name === 'saebench'
      expect(bySize).toEqual(expected.filter(({ latent }) => !scored || source.features[latent]!.explanation !== null))
    })

    test('proves whose labels they are, and refuses another SAE by content', async () => {
      const read = await format.read(place)
      const row = source.vector!
      const sae = { hash: madeUpHashes.sae, latents: 100, row }
      expect(provenBelonging(read, sae, 'it')).toEqual({ proof: 'hash', unproven: 0 })
      expect(() => provenBelonging(read, { ...sae, hash: 'f00d' }, 'it')).toThrow(
        'it is about another SAE: one of hash',
      )
      expect(() => provenBelonging(read, { ...sae, latents: 1 }, 'it')).toThrow('but the SAE has 1')
    })

    test('adds to no folder that has files, which would pass for some of its own', async () => {
      if (format.ending === undefined) await expect(write(place)).rejects.toThrow('is not empty.')
    })

    test('writes the same bytes again', async () => {
      const bytes = async () => {
        const files = []
        for await (const { path, data } of format.write(source))
          files.push([path, Buffer.from(data).toString('base64')])
        return files
      }
      expect(await bytes()).toEqual(await bytes())
    })

    test('holds no key of one who is not asked, and no missing value as NaN', async () => {
      for await (const { path, data } of format.write(source))
        if (/\.(jsonl?|csv|txt|md)$/.test(path || place))
          expect(Buffer.from(data).toString()).not.toMatch(/\bNaN\b|undefined/)
    })

    test('says in a sentence what is not of the form, or not there', async () => {
      const other = join(folder, format.ending === undefined ? 'other' : `other${format.ending}`)
      if (format.ending === undefined) await mkdir(other)
      else await writeFile(other, '{"a": 1}\n')
      await expect(format.read(other)).rejects.toThrow(UserError)
      await expect(format.read(join(folder, 'nowhere'))).rejects.toThrow(UserError)
    })
  })
}
