/** No module imports itself by way of others: each can be read, loaded and tested with what stands before it. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

type Graph = ReadonlyMap<string, readonly string[]>

/** Every module of the project and what it imports when it is loaded, types included. */
function importGraph(): Graph {
  const files = readdirSync(root, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.') && !['node_modules', 'dist'].includes(name))
    .flatMap(entry =>
      entry.isDirectory()
        ? readdirSync(join(root, entry.name), { recursive: true, encoding: 'utf8' }).map(file => join(entry.name, file))
        : [entry.name],
    )
    .filter(file => file.endsWith('.ts'))
  return new Map(
    files.map(file => [
      file,
      [...readFileSync(join(root, file), 'utf8').matchAll(/^(?:import|export)\b[^;]*?from '(\.[^']+)'/gm)].map(match =>
        normalize(join(dirname(file), match[1]!)),
      ),
    ]),
  )
}

/** The modules of the first circle found, in the order in which they import each other. */
function circleOf(graph: Graph): readonly string[] | undefined {
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(file)) return path.slice(path.indexOf(file))
    if (done.has(file)) return undefined
    for (const target of graph.get(file) ?? []) {
      const circle = visit(target, [...path, file])
      if (circle) return circle
    }
    done.add(file)
    return undefined
  }
  for (const file of graph.keys()) {
    const circle = visit(file, [])
    if (circle) return circle
  }
  return undefined
}

const graph = importGraph()

test('no module imports itself by way of others', () => {
  expect(graph.get('pipeline/cli.ts')).toContain('pipeline/interrupt.ts')
  expect(circleOf(graph)).toBeUndefined()
})

test('a circle would be found', () => {
  const circle = new Map([
    ['a', ['b', 'c']],
    ['b', ['c']],
    ['c', ['d']],
    ['d', ['b']],
  ])
  expect(circleOf(circle)).toEqual(['b', 'c', 'd'])
})

test('the settings of the engine are read without loading TensorFlow', () => {
  const reached = new Set<string>()
  const visit = (file: string) => {
    if (reached.has(file)) return
    reached.add(file)
    graph.get(file)?.forEach(visit)
  }
  visit('engine/settings.ts')
  expect([...reached].filter(file => file.startsWith('engine/')).sort()).toEqual([
    'engine/isa.ts',
    'engine/settings.ts',
  ])
})
