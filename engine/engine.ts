/** Starting the engine: which backend runs, chosen once a process, and what it is. */
import { existsSync } from 'node:fs'
import { messageOf, UserError } from '../core/errors.ts'
import { withLock } from '../core/lock.ts'
import { type Progress, silent } from '../core/progress.ts'
import { damagedFile } from './install/install.ts'
import { bindingPath, installerLock, isInstalled, manifestPath, tensorflowRoot } from './install/places.ts'
import type { InstructionSet } from './isa.ts'
import { buildOps, opsPath } from './native/build.ts'
import { loadOps } from './ops/native.ts'
import {
  type EngineChoice,
  type EngineOptions,
  type EngineSettings,
  type Precision,
  resolveSettings,
} from './settings.ts'
import { type LoadedTensorflow, startTensorflow } from './tensorflow.ts'
import { hasNativeBackend } from './tf.ts'
import { startWasm } from './wasm/start.ts'

/** The engine that runs in this process. */
export interface Engine {
  readonly name: Exclude<EngineChoice, 'auto'>
  /** TensorFlow's version, or tfjs's under wasm. */
  readonly version: string
  readonly precision: Precision
  readonly threads: number
  /** The instruction set that `PIPELINE_ISA` forces; null for the best that the processor has. */
  readonly isa: InstructionSet | null
  /** Whether the custom ops (`engine/native`) are loaded. */
  readonly nativeOps: boolean
  /** One line on why this engine was chosen. */
  readonly reason: string
  /** A line that the person should see once, when the engine is less than it could be. */
  readonly notice?: string
}

/** Which engine a choice comes to on this machine, and why. */
export interface EngineDecision {
  readonly name: Engine['name']
  /** The TensorFlow root, empty under wasm. */
  readonly root: string
  readonly reason: string
  readonly notice?: string
}

let settings: EngineSettings | undefined
let starting: Promise<Engine> | undefined
let engine: Engine | undefined

/** The running engine; throws when `startEngine` was not called. */
export function currentEngine(): Engine {
  if (!engine) throw new Error('The engine is not started: call startEngine() first.')
  return engine
}

/**
 * Starts the engine, once a process. A later call with the same options, or with none, gives the same engine; with
 * others it throws a `UserError`, as it does for an engine that was asked for by name and is not installed.
 */
export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  if (settings) {
    checkSame(settings, options)
  } else {
    settings = resolveSettings(options)
    starting = start(settings, options.progress ?? silent).catch(error => {
      settings = undefined
      throw error
    })
  }
  engine = await starting!
  return engine
}

/**
 * Which engine a choice comes to on this machine; throws a `UserError` where a named one is not installed. `backend` is
 * whether tfjs's native backend is there.
 */
export function decideEngine(choice: EngineChoice, backend = hasNativeBackend()): EngineDecision {
  const [cpu, cuda] = [tensorflowRoot('cpu'), tensorflowRoot('cuda')]
  const usable = (root: string) => isInstalled(root) && backend
  // The CUDA build computes on processors too.
  const root = [cpu, cuda].find(usable)
  const unpacked = [cpu, cuda].find(root => existsSync(manifestPath(root)))
  switch (choice) {
    case 'wasm':
      return { name: 'wasm', root: '', reason: 'wasm was asked for' }
    case 'tensorflow':
      if (root) return { name: 'tensorflow', root, reason: 'TensorFlow was asked for and is installed' }
      throw missing('tensorflow', lackOf('TensorFlow', unpacked ?? cpu, backend))
    case 'tensorflow-gpu':
      if (usable(cuda)) return { name: 'tensorflow-gpu', root: cuda, reason: "TensorFlow's CUDA build was asked for" }
      throw missing('tensorflow-gpu', lackOf("TensorFlow's CUDA build", cuda, backend))
    case 'auto':
      if (usable(cuda) && existsSync(nvidiaDriver))
        return { name: 'tensorflow-gpu', root: cuda, reason: "TensorFlow's CUDA build and a driver are installed" }
      if (root) return { name: 'tensorflow', root, reason: 'TensorFlow is installed' }
      return onlyWasm(lackOf('TensorFlow', unpacked ?? cpu, backend))
    default:
      return choice satisfies never
  }
}

function onlyWasm(reason: string): EngineDecision {
  const notice = `${reason}: the slower wasm engine runs. \`pipeline doctor --install\` installs it.`
  return { name: 'wasm', root: '', reason, notice }
}

/** Which part of a TensorFlow build is not there. */
function lackOf(what: string, root: string, backend: boolean): string {
  if (!existsSync(manifestPath(root))) return `${what} is not installed`
  if (!backend)
    return `${what} lies in ${root}, but tfjs's binding to it, the npm package @tensorflow/tfjs-node-gpu, is not installed`
  return `${what} lies in ${root}, but the binding compiled for it, ${bindingPath(root)}, is not installed`
}

/** What NVIDIA's driver shows of itself while it is loaded. */
export const nvidiaDriver = '/proc/driver/nvidia/version'

function missing(choice: EngineChoice, lack: string): UserError {
  return new UserError(`${lack}.`, {
    fix: `Install it with \`pipeline doctor --install --engine ${choice}\`, or choose --engine wasm.`,
  })
}

function checkSame(settings: EngineSettings, options: EngineOptions): void {
  for (const key of ['engine', 'precision', 'threads'] as const) {
    const asked = options[key]
    if (asked === undefined || asked === settings[key]) continue
    if (key === 'engine' && (asked === 'auto' || asked === engine?.name)) continue
    throw new UserError(`The engine runs with ${key} ${settings[key]} and cannot change to ${asked}.`, {
      fix: 'A process has one engine: start another process for other settings.',
    })
  }
}

async function start(settings: EngineSettings, progress: Progress): Promise<Engine> {
  const { root, ...decision } = decideEngine(settings.engine)
  if (decision.name === 'wasm') return startOnWasm(decision, settings)
  const automatic = settings.engine === 'auto'
  let loaded: LoadedTensorflow
  try {
    const damaged = await damagedFile(root)
    if (damaged) throw new Error(`${damaged} is not as it was installed`)
    loaded = await startTensorflow(root, decision.name, settings)
  } catch (error) {
    const problem = `TensorFlow in ${root} could not be loaded: ${messageOf(error)}.`
    if (!automatic)
      throw new UserError(problem, {
        fix: 'Run `pipeline doctor --install` to repair it, or choose --engine wasm.',
        cause: error,
      })
    const notice = `${problem} The slower wasm engine runs.`
    return startOnWasm({ name: 'wasm', reason: 'TensorFlow could not be loaded', notice }, settings)
  }
  const withoutGpu = decision.name === 'tensorflow-gpu' && !loaded.gpu
  if (withoutGpu && !automatic)
    throw new UserError("TensorFlow's CUDA build is installed but found no GPU that it can use.", {
      fix: '`pipeline doctor` shows which driver and libraries it found; --engine tensorflow runs on the processor.',
    })
  const name = withoutGpu ? 'tensorflow' : decision.name
  const lost = withoutGpu ? 'TensorFlow found no GPU that it can use and runs on the processor.' : undefined
  const ops = await startOps(root, name, settings, progress)
  return {
    name,
    reason: decision.reason,
    version: loaded.version,
    precision: settings.precision,
    threads: settings.threads,
    isa: settings.isa,
    nativeOps: ops.loaded,
    ...noticeOf(lost, ops.notice),
  }
}

async function startOnWasm(decision: Omit<EngineDecision, 'root'>, settings: EngineSettings): Promise<Engine> {
  const { version, threads } = await startWasm()
  const rounding = settings.precision === 'bf16' ? 'The wasm engine has no bf16: it computes in float32.' : undefined
  const unforced = settings.isa ? 'PIPELINE_ISA says nothing to the wasm engine.' : undefined
  return {
    ...decision,
    version,
    precision: 'float32',
    threads,
    isa: null,
    nativeOps: false,
    ...noticeOf(decision.notice, rounding, unforced),
  }
}

/** The custom ops have kernels for the processor alone; where they cannot be had, their plain versions run. */
async function startOps(
  root: string,
  name: Engine['name'],
  settings: EngineSettings,
  progress: Progress,
): Promise<{ loaded: boolean; notice?: string }> {
  if (name !== 'tensorflow' || process.env.PIPELINE_OPS === 'off') return { loaded: false }
  try {
    return { loaded: loadOps(await compiledOps(root, progress), settings) }
  } catch (error) {
    const problem = error instanceof UserError ? error.message : `The custom ops do not load: ${messageOf(error)}.`
    return { loaded: false, notice: `${problem} Plain versions run instead, slower.` }
  }
}

async function compiledOps(root: string, progress: Progress): Promise<string> {
  const path = opsPath(root)
  if (existsSync(path)) return buildOps(root)
  return withLock(`${root}.lock`, installerLock(root, progress), async () => {
    if (!existsSync(path)) progress.note('Compiling the custom ops, once for this version …')
    return buildOps(root)
  })
}

function noticeOf(...parts: (string | undefined)[]): { notice?: string } {
  const notice = parts.filter(part => part !== undefined).join(' ')
  return notice === '' ? {} : { notice }
}
