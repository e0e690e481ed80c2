/**
 * The program as JavaScript, for tests that start it: a start from sources takes a second more than one from a build. It is
 * made anew whenever a source has changed, and kept under node_modules/.cache.
 */
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { transformSync } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const kept = join(root, 'node_modules/.cache/compiled')
/** Modules that tests load before the program, in place of parts of the system. */
const standIns = ['tests/full-disk.ts']
const anHour = 3_600_000
let made: string | undefined

/** Path of the compiled command line. */
export function compiledCli(): string {
  return compiledPath('pipeline/cli.ts')
}

/** Path of what a source is compiled to. */
export function compiledPath(source: string): string {
  made ??= compile()
  return join(made, source.replace(/ts$/, 'js'))
}

/**
 * A compiled module, named by its source: what it starts as processes of its own starts in a third of the time. Its errors are
 * instances of compiled classes, so that a test takes all it needs from here or nothing.
 */
export async function compiledModule<Module>(source: string): Promise<Module> {
  return (await import(pathToFileURL(compiledPath(source)).href)) as Module
}

function compile(): string {
  const files = sources()
  const hash = createHash('sha256')
  for (const name of files) hash.update(name).update(readFileSync(join(root, name)))
  const folder = join(kept, hash.digest('hex').slice(0, 16))
  if (existsSync(folder)) return folder
  mkdirSync(kept, { recursive: true })
  // Those of other sources go, but for what a test that still runs may be using.
  for (const name of readdirSync(kept))
    if (Date.now() - statSync(join(kept, name)).mtimeMs > anHour) rmSync(join(kept, name), { recursive: true })
  const partial = mkdtempSync(join(kept, 'partial-'))
  for (const name of files) {
    const to = join(partial, name)
    mkdirSync(dirname(to), { recursive: true })
    if (!name.endsWith('.ts')) cpSync(join(root, name), to)
    else writeFileSync(to.replace(/ts$/, 'js'), javascript(name))
  }
  try {
    renameSync(partial, folder)
  } catch (error) {
    // Another test process was first.
    if (!existsSync(folder)) throw error
    rmSync(partial, { recursive: true })
  }
  return folder
}

/** A module as the compiler would write it, its relative imports naming the compiled files. */
function javascript(name: string): string {
  const { code } = transformSync(readFileSync(join(root, name), 'utf8'), {
    loader: 'ts',
    format: 'esm',
    target: 'node20',
  })
  return code.replace(/(["'])(\.{1,2}\/[^"'\n]*)\.ts\1/g, '$1$2.js$1')
}

/** What the program is made of, relative to the root. */
function sources(): string[] {
  const rooms = readdirSync(root, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && !/^(\.|node_modules$|dist$|docs$|tests$)/.test(entry.name))
    .map(({ name }) => name)
  // Below runs/ lie the runs that somebody made, and no sources.
  const program = rooms
    .flatMap(room =>
      readdirSync(join(root, room), { withFileTypes: true, recursive: room !== 'runs' })
        .filter(entry => entry.isFile() && !/\.(test\.ts|contract\.ts|fixture\.ts)$/.test(entry.name))
        .map(entry => join(entry.parentPath, entry.name).slice(root.length)),
    )
    .sort()
  return [...program, ...standIns]
}
