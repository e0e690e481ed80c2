/** Imports go one way: from room to room, and inside a room from a later sub-room to an earlier one. No exceptions. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Room {
  /** What it may import besides itself: rooms, sub-rooms or files. */
  readonly imports: readonly string[]
  /** Its sub-rooms and files of its top level, first ones first; top-level files that are not named come last. */
  readonly order?: readonly string[]
}

const everything = [
  ...['core', 'statistics', 'engine', 'objects', 'runs', 'datasets', 'model', 'sae', 'capture'],
  ...['latents', 'validation', 'labels', 'dashboard'],
]

const rooms: Readonly<Record<string, Room>> = {
  core: { imports: [] },
  statistics: {
    imports: ['core'],
    order: [
      ...[
        'check.ts',
        'order.ts',
        'descriptive.ts',
        'bins.ts',
        'distributions',
        'intervals',
        'tests',
        'effects',
        'association',
      ],
      ...['multiplicity', 'power', 'curves', 'drift'],
    ],
  },
  engine: { imports: ['core'] },
  objects: { imports: ['core'] },
  runs: { imports: ['core', 'objects'] },
  datasets: { imports: ['core', 'engine'] },
  model: { imports: ['core', 'engine'] },
  sae: {
    imports: ['core', 'engine', 'datasets'],
    order: [
      ...['sae.ts', 'architecture.ts', 'sparse.ts', 'normalise.ts'],
      ...['layers', 'inference.ts', 'make.ts', 'saved.ts'],
      ...['architectures', 'formats', 'measure', 'step', 'training', 'parity', 'truth'],
    ],
  },
  capture: {
    imports: ['core', 'statistics', 'engine', 'datasets', 'model'],
    order: [
      ...['config.ts', 'strata.ts', 'allocation.ts', 'sampling.ts', 'statistics.ts', 'forward.ts', 'shards.ts'],
      ...['pilot.ts', 'manifest.ts', 'audit', 'windows.ts', 'drift'],
    ],
  },
  latents: { imports: ['core', 'statistics', 'engine', 'datasets', 'model', 'sae'] },
  validation: {
    imports: ['core', 'statistics', 'engine', 'datasets', 'model', 'capture', 'sae', 'latents'],
    order: [
      ...['contracts', 'interventions', 'config.ts', 'evidence.ts', 'controls', 'rows.ts', 'claims'],
      ...[
        'effects.ts',
        'judging',
        'rounds.ts',
        'measure-latent.ts',
        'measure-plan.ts',
        'measure-tied.ts',
        'measure-all.ts',
        ...['tables.ts', 'effects-table.ts'],
        'effect-drift.ts',
      ],
      ...['ravel-files.ts', 'inputs.ts', 'splits.ts'],
      ...['read-text.ts', 'reconstruct.ts'],
      ...['test-latents.ts', 'supervised', 'measures', 'baselines', 'studies', 'judge.ts', 'recompute.ts', 'bundle.ts'],
      ...['validate.ts', 'proof'],
    ],
  },
  labels: {
    imports: ['core', 'statistics', 'engine', 'datasets', 'model', 'sae', 'latents', 'validation/evidence.ts'],
    order: [
      ...['explanation.ts', 'feature.ts', 'describe', 'files.ts', 'tables.ts', 'stored-examples.ts', 'answers.ts'],
      ...['lines.ts', 'explain', 'formats'],
    ],
  },
  dashboard: {
    imports: [
      ...['core', 'statistics', 'datasets', 'runs', 'labels'],
      ...['validation/evidence.ts', 'validation/judging/ledger.ts'],
    ],
    order: ['html.ts', 'origin.ts', 'api', 'charts', 'client', 'read', 'report', 'server'],
  },
  pipeline: {
    imports: everything,
    order: [
      ...['stages', 'workers', 'playground', 'toyworld', 'flags.ts', 'schedule', 'help.ts', 'command.ts'],
      ...['terminal.ts', 'interrupt.ts', 'commands', 'main.ts', 'cli.ts'],
    ],
  },
  bench: { imports: [...everything, 'pipeline', 'tests'] },
}

/** Tests and what only they use may look anywhere in what their room may see, and into tests/. */
const testing = /\.(test|fixture|contract)\.ts$/

interface Import {
  readonly file: string
  readonly target: string
}

function filesOf(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map(entry => join(entry.parentPath, entry.name).slice(root.length))
    .filter(file => !/^runs\/[^/]+\//.test(file))
}

function importsOf(folder: string): Import[] {
  return filesOf(folder).flatMap(file =>
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
  if (top === folder) return testing.test(file) || floorOf(folder, target) <= floorOf(folder, file)
  if (testing.test(file) && top === 'tests') return true
  return rooms[folder]!.imports.some(rule => rule === top || rule === target)
}

/** The place of a file's sub-room in its room's order. */
function floorOf(folder: string, file: string): number {
  const { order = [] } = rooms[folder]!
  const place = order.indexOf(file.split('/')[1]!)
  return place < 0 ? order.length : place
}

describe.each(Object.keys(rooms))('%s', folder => {
  test('imports only what stands before it', () => {
    const wrong = importsOf(folder).filter(found => !mayImport(folder, found))
    expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([])
  })

  test('has every sub-room in its order, and orders nothing that is not there', () => {
    const { order } = rooms[folder]!
    if (!order) return
    const subRooms = readdirSync(join(root, folder), { withFileTypes: true }).filter(entry => entry.isDirectory())
    expect(subRooms.map(({ name }) => name).filter(name => !order.includes(name))).toEqual([])
    expect(order.filter(name => !existsSync(join(root, folder, name)))).toEqual([])
  })
})

test('every folder with modules is a room of the table', () => {
  const folders = readdirSync(root, { withFileTypes: true })
    .filter(
      entry => entry.isDirectory() && !entry.name.startsWith('.') && !['node_modules', 'dist'].includes(entry.name),
    )
    .map(({ name }) => name)
    .filter(name => filesOf(name).length > 0 && name !== 'tests')
  expect(folders.sort()).toEqual(Object.keys(rooms).sort())
})

test('the table would catch a model that imports an SAE, labels that look into validation, and a step that reads training', () => {
  expect(mayImport('model', { file: 'model/load.ts', target: 'sae/sae.ts' })).toBe(false)
  expect(mayImport('labels', { file: 'labels/label.ts', target: 'validation/measure-latent.ts' })).toBe(false)
  expect(mayImport('labels', { file: 'labels/label.ts', target: 'validation/evidence.ts' })).toBe(true)
  expect(mayImport('core', { file: 'core/files.ts', target: 'engine/tf.ts' })).toBe(false)
  expect(mayImport('sae', { file: 'sae/step/step.ts', target: 'sae/training/config.ts' })).toBe(false)
  expect(mayImport('sae', { file: 'sae/training/train.ts', target: 'sae/step/step.ts' })).toBe(true)
})

test('imports are found in every form they are written in', () => {
  expect(importsOf('pipeline')).toContainEqual({ file: 'pipeline/cli.ts', target: 'pipeline/main.ts' })
  expect(importsOf('pipeline').some(({ target }) => target === 'engine/engine.ts')).toBe(true)
})
