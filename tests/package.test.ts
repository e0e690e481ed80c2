/** The package, as it is published: built, packed, installed elsewhere and used there. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
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
  installed = join(project, 'node_modules/pipeline')
  if (process.env.PIPELINE_LONG) install(project, join(folder, packed))
  else unpack(project, join(folder, packed))
}, 600_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** As a user does. */
function install(project: string, packed: string): void {
  const flags = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--silent']
  execFileSync('npm', ['install', ...flags, packed], { cwd: project, stdio: 'pipe' })
}

/** What installing comes to, beside the dependencies of this folder: those that the package names, and no others. */
function unpack(project: string, packed: string): void {
  const modules = join(project, 'node_modules')
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['-xzf', packed, '--strip-components=1', '-C', installed])
  const { bin, dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), join(modules, name))
  }
  mkdirSync(join(modules, '.bin'))
  for (const [name, path] of Object.entries<string>(bin)) {
    chmodSync(join(installed, path), 0o755)
    symlinkSync(join('../pipeline', path), join(modules, '.bin', name))
  }
}

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
  const folders = ['dist/pipeline/commands', 'dist/pipeline/stages'].map(path => join(installed, path))
  const modules = folders.flatMap(path =>
    readdirSync(path).flatMap(name => (name.endsWith('.js') ? join(path, name) : [])),
  )
  expect(modules.length).toBeGreaterThan(30)
  const load = `for (const path of ${JSON.stringify(modules)}) await import(path)`
  expect(spawn(process.execPath, ['--input-type=module', '--eval', load])).toEqual({
    status: 0,
    stdout: '',
    stderr: '',
  })
  expect(use('capture', '--help')).toMatchObject({ status: 0 })
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

test('a strict TypeScript program finds its modules and their types, and runs', () => {
  const project = join(folder, 'project')
  const program = `
    import { loadModel, type Model, startEngine, tf, toyworldModelDirectory } from 'pipeline'
    import { createClient } from 'pipeline/api'
    await startEngine({ engine: 'wasm' })
    const model: Model = await loadModel(toyworldModelDirectory())
    const residual = model.run(tf.tensor2d([[0, 159]], [1, 2], 'int32'), { until: 'blocks.0.hook_resid_post' })
    const ask = createClient({ address: 'http://127.0.0.1:9', token: 'x' })
    // @ts-expect-error: there is no such route.
    const wrong = (): unknown => ask('nothing')
    process.stdout.write([residual.shape, typeof wrong].join(' '))`
  writeFileSync(join(project, 'program.mts'), program)
  const options = {
    module: 'nodenext',
    target: 'es2023',
    strict: true,
    skipLibCheck: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['program.mts'] }))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  expect(spawn(process.execPath, [tsc, '-p', project])).toEqual({ status: 0, stdout: '', stderr: '' })
  expect(spawn(process.execPath, [join(project, 'program.mjs')])).toMatchObject({
    status: 0,
    stdout: '1,2,128 function',
  })
  expect(spawn(process.execPath, ['--eval', "require('pipeline/dist/core/text.js')"]).stderr).toContain(
    'Package subpath \'./dist/core/text.js\' is not defined by "exports"',
  )
})

test('a stage runs on the built-in model', () => {
  const flags = ['--dataset.documents', '50', '--sites', 'blocks.1.hook_resid_post', '--name', 'one']
  expect(use('capture', '--model', 'toyworld', '--dataset', 'toyworld', ...flags)).toMatchObject({ status: 0 })
  expect(use('runs', 'verify', 'one')).toMatchObject({ status: 0 })
})
