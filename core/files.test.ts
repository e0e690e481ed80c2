import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FaultError, UserError } from './errors.ts'
import {
  makeFolder,
  nameOfPath,
  readError,
  readJson,
  removePartials,
  writeAtomic,
  writeError,
  writeJson,
} from './files.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'files-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const fault = (code: string) => Object.assign(new Error(code), { code })

describe('writing', () => {
  test.each<[string, Uint8Array | string | Iterable<Uint8Array>]>([
    ['text', 'ab'],
    ['bytes', Uint8Array.of(97, 98)],
    ['pieces', [Uint8Array.of(97), Uint8Array.of(98)]],
  ])('%s makes the folders and leaves nothing but the file', async (_, data) => {
    const path = join(folder, 'deep', 'er', 'file')
    await writeAtomic(path, data)
    expect(readFileSync(path, 'utf8')).toBe('ab')
    expect(readdirSync(join(folder, 'deep', 'er'))).toEqual(['file'])
  })

  test('replaces a link instead of writing where it leads', async () => {
    const [target, path] = [join(folder, 'target'), join(folder, 'link')]
    writeFileSync(target, 'mine')
    symlinkSync(target, path)
    await writeAtomic(path, 'new')
    expect(readFileSync(target, 'utf8')).toBe('mine')
    expect(readFileSync(path, 'utf8')).toBe('new')
  })

  test('takes no name that another could have laid in its way', async () => {
    const [target, path] = [join(folder, 'target'), join(folder, 'file')]
    writeFileSync(target, 'mine')
    symlinkSync(target, `${path}.${process.pid}.partial`)
    await writeAtomic(path, 'new')
    expect(readFileSync(target, 'utf8')).toBe('mine')
  })

  test('that fails half-way leaves the old file and no other', async () => {
    const path = join(folder, 'file')
    writeFileSync(path, 'old')
    const pieces = function* () {
      yield Uint8Array.of(97)
      throw new Error('no more')
    }
    await expect(writeAtomic(path, pieces())).rejects.toThrow('no more')
    expect(readFileSync(path, 'utf8')).toBe('old')
    expect(readdirSync(folder)).toEqual(['file'])
  })

  test('JSON is indented and ends with a line break', async () => {
    await writeJson(join(folder, 'a.json'), { b: [1] })
    expect(readFileSync(join(folder, 'a.json'), 'utf8')).toBe('{\n  "b": [\n    1\n  ]\n}\n')
  })

  test('where a folder is in the way of a file, or a file in that of a folder, is a sentence', async () => {
    mkdirSync(join(folder, 'there', 'x'), { recursive: true })
    await expect(writeAtomic(join(folder, 'there'), '')).rejects.toMatchObject({
      message: `${join(folder, 'there')} is a folder, but a file is to be written there.`,
      exitCode: 1,
    })
    expect(readdirSync(folder)).toEqual(['there'])
    writeFileSync(join(folder, 'file'), '')
    await expect(writeAtomic(join(folder, 'file', 'a', 'b'), '')).rejects.toThrow(UserError)
  })

  test.runIf(process.platform === 'linux')('where no folder can be ends, in a sentence', async () => {
    await expect(makeFolder('/proc/pipeline/runs')).rejects.toMatchObject({ exitCode: 1 })
    await expect(writeAtomic('/proc/pipeline/file', '')).rejects.toMatchObject({ exitCode: 1 })
  })

  test('many at once make a folder once', async () => {
    for (let round = 0; round < 20; round++) {
      const path = join(folder, `a${round}`, 'b', 'c', 'd', 'e')
      const made = await Promise.allSettled(Array.from({ length: 32 }, () => makeFolder(path)))
      expect(made.filter(({ status }) => status === 'rejected')).toEqual([])
      await makeFolder(path)
      expect(readdirSync(join(path, '..'))).toEqual(['e'])
    }
  })
})

test('what cut writes left is removed, below too, and nothing else', async () => {
  mkdirSync(join(folder, 'sub'))
  for (const name of ['a', 'a.x.partial', 'sub/b.y.partial', 'sub/partial']) writeFileSync(join(folder, name), '')
  await removePartials(folder)
  await removePartials(join(folder, 'nowhere'))
  expect((readdirSync(folder, { recursive: true }) as string[]).sort()).toEqual(['a', 'sub', 'sub/partial'])
})

describe('faults', () => {
  test.each(['ENOSPC', 'EDQUOT', 'EIO', 'EFBIG'])('%s of a write may pass', code => {
    expect(writeError('/x', fault(code))).toBeInstanceOf(FaultError)
    expect(writeError('/x', fault(code)).message).toContain('/x')
  })

  test.each(['EACCES', 'EPERM', 'EROFS'])('%s of a write is the user’s to mend', code => {
    expect(writeError('/x', fault(code))).toMatchObject({ exitCode: 1, message: `/x may not be written (${code}).` })
  })

  test('others stay what they are', () => {
    const error = fault('EODD')
    expect(writeError('/x', error)).toBe(error)
    expect(readError('/x', 'model', error)).toBe(error)
    expect(writeError('/x', 'odd').message).toBe('odd')
  })

  test.each([
    ['ENOENT', 'There is no model at /x.'],
    ['ENOTDIR', 'There is no model at /x.'],
    ['EISDIR', '/x is a folder, but a model is a file.'],
    ['EACCES', 'The model /x may not be read (EACCES).'],
  ])('%s of a read', (code, message) => {
    expect(readError('/x', 'model', fault(code))).toMatchObject({ exitCode: 1, message })
  })
})

describe('JSON', () => {
  test('is read as it was written', async () => {
    await writeJson(join(folder, 'a.json'), { b: null })
    expect(await readJson(join(folder, 'a.json'))).toEqual({ b: null })
  })

  test.each(['', '{', '{\n\n"a": \n\n1,\n}', 'nul'])('that is broken, %j, is a sentence of one line', async text => {
    writeFileSync(join(folder, 'a.json'), text)
    await expect(readJson(join(folder, 'a.json'), 'list')).rejects.toMatchObject({
      exitCode: 1,
      message: expect.stringMatching(/^The list .*a\.json is not JSON: [^\n]*\.$/),
    })
  })

  test('that is a folder, or nothing, is a sentence', async () => {
    await expect(readJson(folder, 'list')).rejects.toThrow('is a folder, but a list is a file.')
    await expect(readJson(join(folder, 'none'), 'list')).rejects.toThrow('There is no list at')
  })
})

test('a path is called by its last part, or by the one before where that says only model', () => {
  expect(nameOfPath('/a/gpt2')).toBe('gpt2')
  expect(nameOfPath('/a/gpt2/model')).toBe('gpt2')
  expect(nameOfPath('/model')).toBe('model')
})
