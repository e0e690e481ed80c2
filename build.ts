/**
 * Builds the package into dist/: compiled modules, and beside them the files that they read, at the same relative places
 * as in the sources; what runs in browsers as bundles.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from './dashboard/server/bundle.ts'

const root = fileURLToPath(new URL('.', import.meta.url))
const finished = join(root, 'dist')
/** Where it is made, beside nothing that tools look at, so that a build that fails leaves what was there. */
const out = join(root, 'node_modules/.dist')

/** What modules read at run time and the compiler does not carry over. */
const assets = [
  { folder: 'datasets/toyworld/model', pattern: /^(?!\.)/ },
  { folder: 'engine', pattern: /\.(cc|h)$/ },
]

rmSync(out, { recursive: true, force: true })
const compiler = join(root, 'node_modules/typescript/bin/tsc')
execFileSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', out], {
  cwd: root,
  stdio: 'inherit',
})
for (const { folder, pattern } of assets)
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true, recursive: true }))
    if (entry.isFile() && pattern.test(entry.name)) {
      const path = join(entry.parentPath, entry.name)
      cpSync(path, join(out, path.slice(root.length)))
    }
mkdirSync(join(out, 'dashboard/client'), { recursive: true })
for (const [name, bytes] of await bundle()) writeFileSync(join(out, 'dashboard/client', name), bytes)
rmSync(finished, { recursive: true, force: true })
renameSync(out, finished)
