/** The package, as it is published: built, packed, installed elsewhere and used there. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { root } from './cli.ts'

let folder: string
let installed: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-package-'))
  const project = join(folder, 'project')
  mkdirSync(project)
  // Packing builds: what lay in dist/ before must not matter.
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: root, stdio: 'pipe' })
  const packed = readdirSync(folder).find(name => name.endsWith('.tgz'))!
  writeFileSync(join(project, 'package.json'), '{ "private": true }')
  const flags = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--silent']
  execFileSync('npm', ['install', ...flags, join(folder, packed)], { cwd: project, stdio: 'pipe' })
  installed = join(project, 'node_modules/pipeline')
}, 600_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function use(...args: string[]) {
  return spawn(join(folder, 'project/node_modules/.bin/pipeline'), args)
}

function spawn(program: string, args: string[]) {
  const env = { ...process.env, NO_COLOR: '1', PIPELINE_RUNS: join(folder, 'runs') }
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: join(folder, 'project'),
    env,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

test('help works from where it is installed', () => {
  expect(spawn('npx', ['--no-install', 'pipeline', '--help'])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('Usage: pipeline <command>'),
  })
  expect(use('--version').stdout.trim()).toBe(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version)
})

test("a user's error is a sentence and exit code 1", () => {
  expect(use('runs', 'show', 'run42')).toEqual({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/^pipeline: There is no run run42 in .*\n {2}fix: .*\n$/),
  })
})

test('every command can be loaded', () => {
  for (const command of ['run', 'capture', 'train', 'validate', 'label', 'report', 'import', 'doctor'])
    expect(use(command, '--help'), command).toMatchObject({ status: 0 })
})

describe('what it needs is in it', () => {
  test('the built-in model', () => {
    const model = join(installed, 'dist/datasets/toyworld/model')
    for (const name of ['config.json', 'model.safetensors', 'tokenizer.json'])
      expect(existsSync(join(model, name)), name).toBe(true)
  })

  test('the sources of the custom ops, and the headers that they are built with', () => {
    const sources = (path: string) => readdirSync(path).filter(name => /\.(cc|h)$/.test(name))
    expect(sources(join(installed, 'dist/engine/native'))).toEqual(sources(join(root, 'engine/native')))
    expect(existsSync(join(folder, 'project/node_modules/node-api-headers/include/node_api.h'))).toBe(true)
  })

  test('and no tests, fixtures or sources in TypeScript', () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' })
    expect(files.filter(name => /(?<!\.d)\.ts$|\.(test|contract|fixture)\./.test(name))).toEqual([])
  })
})

test('a stage runs on the built-in model', () => {
  const flags = ['--dataset.documents', '50', '--sites', 'blocks.1.hook_resid_post', '--name', 'one']
  expect(use('capture', '--model', 'toyworld', '--dataset', 'toyworld', ...flags)).toMatchObject({ status: 0 })
  expect(use('runs', 'verify', 'one')).toMatchObject({ status: 0 })
})
