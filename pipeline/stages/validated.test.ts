import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseConfig } from '../../core/config.ts'
import { sha256File } from '../../core/hash.ts'
import { ValidateConfig } from '../../validation/config.ts'
import { ravelPaths } from '../../validation/ravel-files.ts'
import { findRavel } from './validated.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravel-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function write(use: string) {
  await writeFile(join(folder, 'ravel_tool_entity_attributes.json'), JSON.stringify({ saw: { Use: use } }))
  await writeFile(join(folder, 'ravel_tool_attribute_to_prompts.json'), JSON.stringify({ Use: ['a %s is for'] }))
}

test('the two files of RAVEL are inputs by their hashes, and another word in one of them is another input', async () => {
  await write('cutting')
  const first = await findRavel(folder, 'tool')
  const { attributes, prompts } = await ravelPaths(folder, 'tool')
  expect(first.files.map(({ input }) => input)).toEqual([
    { role: 'ravelAttributes', path: attributes, sha256: await sha256File(attributes) },
    { role: 'ravelPrompts', path: prompts, sha256: await sha256File(prompts) },
  ])
  await write('sawing')
  const [changed, same] = (await findRavel(folder, 'tool')).files
  expect(changed!.input.sha256).not.toBe(first.files[0]!.input.sha256)
  expect(same!.input.sha256).toBe(first.files[1]!.input.sha256)
})

test('a kind of entities without the folder that it is of is refused', () => {
  const measures = (keys: object) => () => parseConfig(ValidateConfig, { sae: 'x', measures: keys }, 'validate')
  expect(measures({ entities: 'verb' })).toThrow(/measures\.entities.*measures\.ravel/)
  expect(measures({ ravel: folder, entities: 'verb' })).not.toThrow()
  expect(measures({ ravel: folder })().measures.entities).toBeUndefined()
})
