/** Imports go one way: the table of design §2, and no exceptions. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What each folder may import, besides itself. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  core: [],
  engine: ['core'],
  datasets: ['core', 'engine'],
  model: ['core', 'engine'],
  capture: ['core', 'engine', 'datasets', 'model'],
  sae: ['core', 'engine', 'datasets'],
  validation: ['core', 'engine', 'datasets', 'model', 'capture', 'sae'],
  // labels read what validation found and share how it reads activations; the rest is validation's own
  labels: [
    ...['core', 'engine', 'datasets', 'model', 'capture', 'sae'],
    ...['validation/evidence.ts', 'latents/activations.ts'],
  ],
  runs: ['core'],
  pipeline: ['core', 'engine', 'datasets', 'model', 'capture', 'sae', 'validation', 'labels', 'runs'],
}

/** Tests and what only they use may look into tests/ as well. */
const testing = /\.(test|fixture|contract)\.ts$/

interface Import {
  readonly file: string
  readonly target: string
}

function importsOf(folder: string): Import[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => join(entry.parentPath, entry.name).slice(root.length))
    .filter(file => !/^runs\/[^/]+\//.test(file))
    .flatMap(file =>
      [...readFileSync(join(root, file), 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(match => ({
        file,
        target: normalize(join(dirname(file), match[1]!))
          .split(sep)
          .join('/'),
      })),
    )
}

/** Whether a file of `folder` may import `target`. */
function mayImport(folder: string, { file, target }: Import): boolean {
  const top = target.split('/')[0]!
  if (top === folder) return true
  if (testing.test(file) && top === 'tests') return true
  return allowed[folder]!.some(rule => rule === top || rule === target)
}

describe.each(Object.keys(allowed))('%s', folder => {
  test('imports only what stands before it', () => {
    const wrong = importsOf(folder).filter(found => !mayImport(folder, found))
    expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([])
  })
})

test('the table would catch a model that imports an SAE, and labels that look into validation', () => {
  expect(mayImport('model', { file: 'model/load.ts', target: 'sae/sae.ts' })).toBe(false)
  expect(mayImport('labels', { file: 'labels/label.ts', target: 'statistics/permutation.ts' })).toBe(false)
  expect(mayImport('labels', { file: 'labels/label.ts', target: 'validation/evidence.ts' })).toBe(true)
  expect(mayImport('core', { file: 'core/files.ts', target: 'engine/tf.ts' })).toBe(false)
})

test('imports are found in every form they are written in', () => {
  expect(importsOf('pipeline')).toContainEqual({ file: 'pipeline/cli.ts', target: 'pipeline/main.ts' })
  expect(importsOf('pipeline').some(({ target }) => target === 'engine/engine.ts')).toBe(true)
})
