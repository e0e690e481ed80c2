/**
 * Runs tfjs-core's own op suite on the installed engine and holds the result against the known list.
 *
 *   npm run test:engine [-- tensorflow | wasm]
 *
 * Exits 1 when a spec fails that is not known to. Writes to the system's temporary folder alone.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEngine } from '../../engine/engine.ts'
import type { EngineChoice } from '../../engine/settings.ts'
import { bundleSpecs } from './bundle.ts'
import { knownOf } from './known.ts'

interface Spec {
  getFullName(): string
}

interface Result {
  readonly fullName: string
  readonly status: 'passed' | 'failed' | 'pending' | 'excluded'
  readonly failedExpectations: readonly { readonly message: string }[]
}

/** The parts of jasmine that are used here. */
interface Jasmine {
  getEnv(): {
    configure(options: { random: boolean; specFilter: (spec: Spec) => boolean }): void
    addReporter(reporter: { specDone(result: Result): void }): void
    execute(): Promise<unknown>
  }
}

/** Fewer specs than this mean that the suite was not found, not that it passed. */
const LEAST_SPECS = 3000

async function run(choice: EngineChoice): Promise<number> {
  const engine = await startEngine({ engine: choice })
  const environment = engine.name === 'wasm' ? 'wasm' : 'tensorflow'
  const known = knownOf(engine.name)
  const require = createRequire(import.meta.url)
  const jasmine = (require('jasmine-core') as { boot(core: unknown): Jasmine }).boot(require('jasmine-core'))
  const folder = await mkdtemp(join(tmpdir(), 'op-suite-'))
  const results: Result[] = []
  const { log: write, warn } = console
  // Loading warns that Node's platform is set twice, and the specs provoke warnings on purpose.
  console.warn = console.log = () => {}
  try {
    require(await bundleSpecs(folder, environment))
    const suite = jasmine.getEnv()
    suite.configure({
      random: false,
      specFilter: spec => !known.leftOut.some(part => spec.getFullName().includes(part)),
    })
    suite.addReporter({ specDone: result => results.push(result) })
    await suite.execute()
  } finally {
    Object.assign(console, { log: write, warn })
    await rm(folder, { recursive: true, force: true })
  }

  const of = (status: Result['status']) => results.filter(result => result.status === status)
  const isKnown = ({ fullName, failedExpectations }: Result) =>
    known.failing.some(about =>
      [fullName, ...failedExpectations.map(({ message }) => message)].some(s => about.test(s)),
    )
  const unknown = of('failed').filter(result => !isKnown(result))
  for (const { fullName, failedExpectations } of unknown)
    write(`FAILED ${fullName}\n  ${failedExpectations[0]?.message ?? ''}`)
  write(
    `${engine.name} ${engine.version} on Node ${process.versions.node}: ${of('passed').length} passed, ` +
      `${of('failed').length} failed (${of('failed').length - unknown.length} known), ` +
      `${of('pending').length} pending, ${of('excluded').length} left out by the known list`,
  )
  if (results.length < LEAST_SPECS) write(`Only ${results.length} specs were found; there should be thousands.`)
  return unknown.length === 0 && results.length >= LEAST_SPECS ? 0 : 1
}

process.exitCode = await run((process.argv[2] ?? 'auto') as EngineChoice)
