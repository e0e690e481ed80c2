/** Installing what an engine choice needs, and saying what came of it. */
import { UserError } from '../../core/errors.ts'
import { type Progress, silent } from '../../core/progress.ts'
import { type EngineChoice, resolveSettings } from '../settings.ts'
import { installTensorflow } from './install.ts'
import { UnsupportedError } from './wheels.ts'

/** What came of an installation. */
export interface Installation {
  /** A closing line. */
  readonly text: string
  /** Why the custom ops are not there, though TensorFlow is. */
  readonly opsProblem?: string
  /** Why TensorFlow is not there, though this machine could have it: wasm stands in. */
  readonly problem?: UserError
}

/**
 * Installs what `engine` (default: `auto`) needs. With `auto` TensorFlow need not be had, since wasm runs everywhere: a machine
 * that TensorFlow has no build for is as it should be, and what is missing on another is its `problem`. A build that was asked
 * for by name, or by a folder in `LIBTENSORFLOW_DIR`, and cannot be had is a `UserError` or, where trying again may help, a
 * `FaultError`.
 */
export async function installEngine(
  options: { engine?: EngineChoice; progress?: Progress } = {},
): Promise<Installation> {
  const { engine } = resolveSettings(options.engine ? { engine: options.engine } : {})
  if (engine === 'wasm') return { text: 'The wasm engine needs no installation.' }
  const variant = engine === 'tensorflow-gpu' ? 'cuda' : 'cpu'
  try {
    const found = await installTensorflow({ variant, progress: options.progress ?? silent })
    const { opsProblem } = found
    const text = `TensorFlow ${found.version} is ${found.changed ? 'now ' : ''}installed in ${found.root}.`
    if (!opsProblem) return { text }
    return { text: `${text} The custom ops are not, and plain versions run: ${opsProblem}`, opsProblem }
  } catch (error) {
    const named = engine !== 'auto' || process.env.LIBTENSORFLOW_DIR
    if (named || !(error instanceof UserError)) throw error
    if (error instanceof UnsupportedError) return { text: `${error.message} The slower wasm engine is used.` }
    const repair = [error.message, error.fix].filter(Boolean).join(' ')
    return {
      text: `${repair} Until then the slower wasm engine is used, which PIPELINE_ENGINE=wasm chooses.`,
      problem: error,
    }
  }
}
