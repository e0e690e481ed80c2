import { execFile, spawn } from 'node:child_process'
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { checkDestination, isStdout, outsideRuns, placeOf, writeTo } from './destination.ts'

let folder: string
const folders: string[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'destination-'))
  folders.push(folder)
})
afterAll(async () => {
  for (const one of folders) await rm(one, { recursive: true })
})
const at = (name: string) => join(folder, name)

describe('what a person asks to be written', () => {
  test('makes a file, in new folders too, and replaces one as a whole', async () => {
    await writeTo(at('new/a.csv'), 'one')
    await writeTo(at('new/a.csv'), 'two')
    expect(await readFile(at('new/a.csv'), 'utf8')).toBe('two')
    expect(await readdir(at('new'))).toEqual(['a.csv'])
  })

  test('goes through a link, which stays', async () => {
    await mkdir(at('real'))
    await writeFile(at('real/a.csv'), 'old')
    await symlink('real/a.csv', at('link.csv'))
    await symlink('link.csv', at('link-to-link.csv'))
    await writeTo(at('link-to-link.csv'), 'new')
    expect(await readFile(at('real/a.csv'), 'utf8')).toBe('new')
    expect(await readlink(at('link.csv'))).toBe('real/a.csv')
    expect((await lstat(at('link-to-link.csv'))).isSymbolicLink()).toBe(true)
  })

  test('is refused for a link to nothing, and makes no file there', async () => {
    await symlink('nowhere.csv', at('link.csv'))
    await expect(writeTo(at('link.csv'), 'x')).rejects.toThrow(/link\.csv is a link to something that is not there/)
    expect(await readdir(folder)).toEqual(['link.csv'])
  })

  test('is refused for a folder, in a sentence', async () => {
    await mkdir(at('out'))
    await expect(writeTo(at('out'), 'x')).rejects.toThrow(/out is a folder, but what is written is one file/)
    await symlink('out', at('link'))
    await expect(writeTo(at('link'), 'x')).rejects.toThrow(/link is a folder/)
    await writeFile(at('plain'), '')
    await expect(writeTo(at('plain/a.csv'), 'x')).rejects.toThrow(/lies within something that is no folder/)
  })

  test('flows into a pipe, which stays one', async () => {
    await promisify(execFile)('mkfifo', [at('pipe')])
    const data = 'x'.repeat(300_000)
    const reader = spawn('wc', ['-c', at('pipe')])
    const read = new Promise<string>(done => {
      let text = ''
      reader.stdout.on('data', part => {
        text += part
      })
      reader.on('close', () => done(text))
    })
    await writeTo(at('pipe'), data)
    expect((await read).trim()).toMatch(/^300000 /)
    expect((await lstat(at('pipe'))).isFIFO()).toBe(true)
  })

  test('is refused within a run, whatever leads there, and asking beforehand says the same', async () => {
    await mkdir(at('run/parts'), { recursive: true })
    await writeFile(at('run/run.json'), '{}')
    await writeFile(at('run/evidence.json'), 'evidence')
    await symlink('run/evidence.json', at('link.json'))
    await symlink('run/parts', at('linked'))
    for (const to of ['run/new.csv', 'run/evidence.json', 'run/parts/new.csv', 'link.json', 'linked/new.csv']) {
      const refused = /lies in the run .*, and a run is not changed once it is made/
      await expect(checkDestination(at(to))).rejects.toThrow(refused)
      await expect(writeTo(at(to), 'x')).rejects.toThrow(refused)
    }
    await expect(outsideRuns(at('run/parts/more'))).rejects.toThrow(/lies in the run/)
    expect(await readFile(at('run/evidence.json'), 'utf8')).toBe('evidence')
    await checkDestination(at('beside.csv'))
    await outsideRuns(at('run'))
    expect(await readdir(folder)).not.toContain('beside.csv')
  })

  test('flows into a device', async () => {
    await writeTo('/dev/null', 'x')
    expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true)
  })
})

test.each([
  ['-', true],
  ['/dev/stdout', true],
  ['./-', false],
  ['a', false],
])('%s is standard output: %s', (to, is) => expect(isStdout(to)).toBe(is))

test('what is written beside the result goes to no standard output, and to no file named -', () => {
  expect(placeOf('junit', 'a.xml')).toBe(join(process.cwd(), 'a.xml'))
  for (const to of ['-', '/dev/stdout'])
    expect(() => placeOf('junit', to)).toThrow(`--junit is ${to}, but standard output`)
})
