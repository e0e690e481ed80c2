/**
 * Installs TensorFlow from the command line before anything else of the project runs: the first step of `npm test` and
 * `npm run demo`, and the same as `pipeline doctor --install`. One line when there is nothing to do.
 *
 *   npx tsx engine/install/main.ts [auto | tensorflow | tensorflow-gpu | wasm]
 */
import { fileURLToPath } from 'node:url'
import { messageOf, UserError } from '../../core/errors.ts'
import type { Progress } from '../../core/progress.ts'
import { resolveSettings } from '../engine.ts'
import { installTensorflow } from './install.ts'

/** Plain lines: each task when it starts, and every few seconds how far it is. */
function lines(write: (line: string) => void, every = 3_000): Progress {
  let [task, size, unit, last] = ['', undefined as number | undefined, '', 0]
  const megabytes = (count: number) => `${Math.round(count / 1e6)} MB`
  return {
    start(name, total, of) {
      ;[task, size, unit, last] = [name, total, of, Date.now()]
      write(`${task}${size && unit === 'bytes' ? `, ${megabytes(size)}` : ''}`)
    },
    update(done) {
      if (Date.now() - last < every) return
      last = Date.now()
      write(`  ${unit === 'bytes' ? megabytes(done) : done}${size ? ` (${Math.floor((100 * done) / size)} %)` : ''}`)
    },
    finish() {},
    note: write,
  }
}

/** Installs what the choice needs; returns the exit code. With `auto`, a machine that cannot have TensorFlow is no error. */
export async function main(parameters: readonly string[], write: (line: string) => void): Promise<number> {
  let automatic = false
  try {
    const { engine } = resolveSettings(parameters[0] === undefined ? {} : { engine: parameters[0] as 'auto' })
    automatic = engine === 'auto'
    if (engine === 'wasm') {
      write('The wasm engine needs no installation.')
      return 0
    }
    const variant = engine === 'tensorflow-gpu' ? 'cuda' : 'cpu'
    const { root, version, changed, opsProblem } = await installTensorflow({ variant, progress: lines(write) })
    write(`TensorFlow ${version} is ${changed ? 'now ' : ''}installed in ${root}.`)
    if (opsProblem) write(`The custom ops are not: ${opsProblem}`)
    return 0
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    write(`${messageOf(error)} ${automatic ? 'The slower wasm engine is used.' : (error.fix ?? '')}`)
    return automatic ? 0 : error.exitCode
  }
}

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1])
  process.exitCode = await main(process.argv.slice(2), line => console.error(line))
