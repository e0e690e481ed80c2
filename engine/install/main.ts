/**
 * Installs TensorFlow from the command line before anything else of the project runs: the first step of `npm test`, and the
 * same as `pipeline doctor --install`. One line when there is nothing to do.
 *
 *   npx tsx engine/install/main.ts [auto | tensorflow | tensorflow-gpu | wasm]
 */
import { UserError } from '../../core/errors.ts'
import type { Progress } from '../../core/progress.ts'
import type { EngineChoice } from '../settings.ts'
import { installEngine } from './choice.ts'

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

/** Installs what the choice needs; returns the exit code. */
async function main(choice: string | undefined, write: (line: string) => void): Promise<number> {
  try {
    const engine = choice ? { engine: choice as EngineChoice } : {}
    const { text, problem } = await installEngine({ ...engine, progress: lines(write) })
    write(text)
    return problem?.exitCode ?? 0
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    write([error.message, error.fix].filter(Boolean).join(' '))
    return error.exitCode
  }
}

process.exitCode = await main(process.argv[2], line => console.error(line))
