/** Installing what an engine choice needs, and saying in one line what came of it. */
import { messageOf, UserError } from '../../core/errors.ts'
import { type Progress, silent } from '../../core/progress.ts'
import { type EngineChoice, resolveSettings } from '../settings.ts'
import { installTensorflow } from './install.ts'

/**
 * Installs what `engine` (default: `auto`) needs and returns a closing line. With `auto`, a
 * machine that cannot have TensorFlow is no error, since wasm runs there; a build that was asked for by name, or by a
 * folder in `LIBTENSORFLOW_DIR`, and cannot be had is a `UserError` or, where trying again may help, a `FaultError`.
 */
export async function installEngine(options: { engine?: EngineChoice; progress?: Progress } = {}): Promise<string> {
  const { engine } = resolveSettings(options.engine ? { engine: options.engine } : {})
  if (engine === 'wasm') return 'The wasm engine needs no installation.'
  const variant = engine === 'tensorflow-gpu' ? 'cuda' : 'cpu'
  try {
    const found = await installTensorflow({ variant, progress: options.progress ?? silent })
    const line = `TensorFlow ${found.version} is ${found.changed ? 'now ' : ''}installed in ${found.root}.`
    return found.opsProblem ? `${line} The custom ops are not, and plain versions run: ${found.opsProblem}` : line
  } catch (error) {
    const named = engine !== 'auto' || process.env.LIBTENSORFLOW_DIR
    if (named || !(error instanceof UserError)) throw error
    return `${messageOf(error)} The slower wasm engine is used.`
  }
}
