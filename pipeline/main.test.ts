/** From arguments to texts and exit codes, without a process of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type CommandEntry, commands } from './commands/index.ts'
import { main } from './main.ts'
import { packageVersion } from './stages/version.ts'

/** A command that tests let fail. */
const doctor = commands.doctor as Extract<CommandEntry, { load: unknown }>

let folder: string
let printed: { stdout: string; stderr: string }
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-main-'))
  printed = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    vi.spyOn(process[name], 'write').mockImplementation((text, ...rest) => {
      printed[name] += String(text)
      const done = rest.find(one => typeof one === 'function') as (() => void) | undefined
      done?.()
      return true
    })
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true, force: true })
})

/** What a command line printed, and its exit code. */
async function run(...args: string[]) {
  const code = await main(args, { signal: new AbortController().signal, tell() {} })
  return { code, ...printed }
}

describe('help', () => {
  test('lists every command with a summary, and exits with 0', async () => {
    const { code, stdout, stderr } = await run('--help')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const [name, { summary }] of Object.entries(commands)) {
      expect(stdout).toContain(name)
      expect(summary).toMatch(/^[A-Z].*[^.]$/)
    }
  })

  test('of a group lists its commands', async () => {
    expect((await run('runs', '--help')).stdout).toMatch(/list[\s\S]*lineage[\s\S]*verify/)
  })

  test.each(Object.keys(commands).filter(name => !commands[name]!.commands))('of %s has its flags', async name => {
    const { code, stdout } = await run(name, '--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`pipeline ${name}`))
    expect(stdout).toContain('--json')
  })

  test('gives the version', async () => {
    expect(await run('--version')).toMatchObject({ code: 0, stdout: `${packageVersion()}\n` })
  })
})

describe("a user's mistake is a sentence with what repairs it, and exit code 1", () => {
  test.each<[string, string[], RegExp, RegExp]>([
    ['an unknown command', ['trian'], /There is no command trian\./, /Did you mean train\?/],
    ['an unknown command of a group', ['runs', 'lst'], /runs has no command lst\./, /Did you mean runs list\?/],
    ['an unknown flag', ['runs', 'list', '--stag', 'x'], /runs list has no flag --stag\./, /Did you mean --stage\?/],
    ['a flag without its value', ['runs', 'show', 'x', '--runs-dir'], /needs a value after --runs-dir/, /--help/],
    ['an operand too many', ['runs', 'list', 'all'], /takes flags only, but was given "all" too/, /--help/],
    ['a run that is not there', ['runs', 'show', 'x'], /There is no run x in/, /store is empty/],
    ['a config file that is not there', ['capture', '-c', 'nowhere.yaml'], /nowhere\.yaml/, /./],
  ])('%s', async (_, args, sentence, repair) => {
    const { code, stdout, stderr } = await run(
      ...args,
      ...(args.includes('show') && !args.includes('--runs-dir') ? ['--runs-dir', folder] : []),
    )
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(sentence)
    expect(stderr).toMatch(repair)
    expect(stderr).not.toMatch(/^\s+at /m)
  })

  test('is one object under --json, on stdout, with the same words', async () => {
    const { code, stdout, stderr } = await run('runs', 'show', 'x', '--runs-dir', folder, '--json')
    const { error } = JSON.parse(stdout) as { error: { message: string; fix: string; exitCode: number } }
    expect(error).toMatchObject({ exitCode: 1, message: `There is no run x in ${folder}.` })
    expect(stderr).toBe(`pipeline: ${error.message}\n  fix: ${error.fix}\n`)
    expect(code).toBe(1)
  })

  test('in a config file names the file', async () => {
    writeFileSync(join(folder, 'bad.yaml'), 'k: [1,\n')
    expect((await run('train', '-c', join(folder, 'bad.yaml'))).stderr).toMatch(/bad\.yaml is not YAML/)
    writeFileSync(join(folder, 'list.yaml'), '- k\n')
    expect((await run('train', '-c', join(folder, 'list.yaml'))).stderr).toMatch(/must hold keys and values/)
  })
})

test('a bug keeps its stack, and has exit code 70', async () => {
  vi.spyOn(doctor, 'load').mockRejectedValue(new TypeError('x is not a function'))
  const { code, stderr } = await run('doctor')
  expect(code).toBe(70)
  expect(stderr).toMatch(/this is a bug[\s\S]*TypeError: x is not a function[\s\S]*\n\s+at /)
})

test.each([
  ['ENOSPC', 75],
  ['EDQUOT', 75],
  ['EIO', 75],
  ['EROFS', 1],
  ['EACCES', 1],
  ['EMFILE', 75],
])('%s ends with exit code %i and no stack', async (name, expected) => {
  vi.spyOn(doctor, 'load').mockRejectedValue(
    Object.assign(new Error(`${name}: nothing to be done`), { code: name, path: '/somewhere/run.json' }),
  )
  const { code, stderr } = await run('doctor')
  expect(code).toBe(expected)
  expect(stderr).toMatch(/^pipeline: /)
  expect(stderr).not.toMatch(/^\s+at /m)
})

test('a folder that may not be read is not called one that may not be written', async () => {
  const denied = Object.assign(new Error('no'), { code: 'EACCES', syscall: 'scandir', path: '/proc/1/fdinfo' })
  vi.spyOn(doctor, 'load').mockRejectedValue(denied)
  expect((await run('doctor')).stderr).toContain('The folder /proc/1/fdinfo may not be read (EACCES).')
})
