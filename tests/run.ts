/**
 * `npm test`: installs the engine where it is not yet, runs every test, and ends with the line `N passed, N failed`.
 * Arguments go to vitest: `npm test -- runs pipeline`.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'pipeline-test-'))
const counts = join(folder, 'counts.json')

function node(...args: string[]): number {
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status ?? 1
}

// A machine that cannot have TensorFlow is tested on the wasm engine.
const installed = node('--import', 'tsx', 'engine/install/main.ts')
if (installed !== 0) console.error('The engine could not be installed; the tests run without it.')

const status = node(
  'node_modules/vitest/vitest.mjs',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${counts}`,
  ...process.argv.slice(2),
)
let passed = 0
let failed = 1
try {
  const report = JSON.parse(readFileSync(counts, 'utf8'))
  passed = report.numPassedTests
  // A file that could not be loaded has no tests that could have failed, and counts as one.
  const broken = report.testResults.filter(
    (file: { status: string; assertionResults: unknown[] }) =>
      file.status === 'failed' && file.assertionResults.length === 0,
  ).length
  failed = report.numFailedTests + broken
  if (status !== 0 && failed === 0) failed = 1
} catch {
  console.error('The test runner ended without a report.')
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
