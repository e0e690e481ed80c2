/**
 * Installing TensorFlow: libraries and headers from a pinned wheel, the binding and the custom ops compiled against them.
 *
 * Every step leaves whole files or none and is skipped when its result is there, so an installation that was cut, at any
 * point, goes on; `installed.json` is written last and says that the root is complete. One process at a time works on a
 * root, others wait for it.
 */
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, statfs } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { FaultError, messageOf, UserError } from '../../core/errors.ts'
import { writeError, writeJson } from '../../core/files.ts'
import { withLock } from '../../core/lock.ts'
import { type Progress, silent } from '../../core/progress.ts'
import { buildOps, opsPath } from '../native/build.ts'
import { hasNativeBackend } from '../tf.ts'
import { addonsHash, compileAddons, findCompiler } from './compile.ts'
import { type Contents, checkContents, recordContents } from './contents.ts'
import {
  bindingPath,
  installerLock,
  LIBRARIES,
  manifestPath,
  quietPath,
  TENSORFLOW_VERSION,
  tensorflowRoot,
  type Variant,
} from './places.ts'
import { run } from './run.ts'
import { type Filled, fillRoot } from './source.ts'
import { installTree } from './tree.ts'
import { UnsupportedError, wheelsFor } from './wheels.ts'

/** `installed.json`: what a root was made of. */
export interface Manifest {
  readonly schema: 1
  readonly tensorflow: string
  readonly variant: Variant
  /** Files or folder that the libraries came from. */
  readonly sources: readonly string[]
  /** Sizes in bytes of the libraries, by name. */
  readonly libraries: Readonly<Record<string, number>>
  /** The files that a start loads, as they were taken from the sources; version 0.1.0 recorded none. */
  readonly contents?: Contents
  /** Hash of what the addons were compiled from. */
  readonly addons: string
}

/** What an installation found or did. */
export interface Installed {
  readonly root: string
  readonly version: string
  /** Whether anything had to be done. */
  readonly changed: boolean
  /** Why the custom ops are not there, if they could not be compiled. */
  readonly opsProblem?: string
}

/** Disk that an installation takes at its peak, wheels and libraries together, in bytes. */
const DISK: Readonly<Record<Variant, number>> = { cpu: 1.3e9, cuda: 9e9 }

/**
 * Installs TensorFlow for this user unless it is there. Throws a `UserError` that says what is missing, a `FaultError`
 * where trying again may help.
 */
export async function installTensorflow(options: { variant?: Variant; progress?: Progress } = {}): Promise<Installed> {
  const { variant = 'cpu', progress = silent } = options
  const root = tensorflowRoot(variant)
  const set = wheelsFor(variant)
  checkLibc()
  if (await isComplete(root)) return { root, version: TENSORFLOW_VERSION, changed: false }
  return withLock(`${root}.lock`, installerLock(root, progress), async () => {
    if (await isComplete(root)) return { root, version: TENSORFLOW_VERSION, changed: false }
    await mkdir(root, { recursive: true }).catch(error => {
      throw writeError(root, error)
    })
    // Before minutes of fetching and unpacking, not after them.
    if (![bindingPath(root), quietPath(root)].every(path => existsSync(path))) await findCompiler()
    const before = await readInstallManifest(root)
    const kept = before && (await hasLibraries(root, before)) ? before : undefined
    const filled = kept ? undefined : await refill(root, variant)
    await installTree(progress)
    const addons = await addonsHash()
    if (before?.addons !== addons || !existsSync(bindingPath(root)) || !existsSync(quietPath(root))) {
      progress.start("Compiling TensorFlow's binding", undefined, 'files')
      await compileAddons(root)
      await tryBinding(root)
      progress.finish()
    }
    const opsProblem = await compileOps(root, progress)
    const manifest: Manifest = {
      schema: 1,
      tensorflow: TENSORFLOW_VERSION,
      variant,
      sources: filled?.sources ?? kept!.sources,
      libraries: await librarySizes(root),
      contents: kept?.contents ?? (await recordContents(root, await loadedFiles(root), filled?.hashes)),
      addons,
    }
    await writeJson(manifestPath(root), manifest)
    return { root, version: TENSORFLOW_VERSION, changed: true, ...(opsProblem ? { opsProblem } : {}) }
  })

  async function refill(root: string, variant: Variant): Promise<Filled> {
    await checkDisk(root, DISK[variant])
    await rm(manifestPath(root), { force: true })
    const { sources, hashes } = await fillRoot(root, set, progress)
    return { sources: sources.map(path => basename(path)), hashes }
  }
}

/** Whether a root and what is compiled in it are whole and of this version of the project. */
export async function isComplete(root: string): Promise<boolean> {
  const manifest = await readInstallManifest(root)
  return (
    manifest !== undefined &&
    hasNativeBackend() &&
    manifest.addons === (await addonsHash()) &&
    existsSync(bindingPath(root)) &&
    existsSync(quietPath(root)) &&
    (process.env.PIPELINE_OPS === 'off' || existsSync(opsPath(root))) &&
    manifest.contents !== undefined &&
    (await hasLibraries(root, manifest))
  )
}

/** A root's manifest; undefined where there is none or it is not one of ours. */
export async function readInstallManifest(root: string): Promise<Manifest | undefined> {
  try {
    const manifest = JSON.parse(await readFile(manifestPath(root), 'utf8')) as Manifest
    return manifest.schema === 1 && manifest.tensorflow === TENSORFLOW_VERSION ? manifest : undefined
  } catch {
    return undefined
  }
}

async function hasLibraries(root: string, manifest: Manifest): Promise<boolean> {
  const found = await librarySizes(root)
  if (!LIBRARIES.every(name => found[name] !== undefined && found[name] === manifest.libraries[name])) return false
  return (await damagedFile(root)) === undefined
}

/**
 * The first file of a root that is not as it was installed, if any, by its path there. Costs a look at each file's size and
 * time; where only times differ, as in a copied cache, files are read once and their times recorded anew.
 */
export async function damagedFile(root: string): Promise<string | undefined> {
  const manifest = await readInstallManifest(root)
  const { damaged, renewed } = await checkContents(root, manifest?.contents ?? {})
  if (renewed)
    await writeJson(manifestPath(root), { ...manifest, contents: renewed }).catch(error => {
      // A cache that may only be read is read again at the next start.
      if (!(error instanceof UserError)) throw error
    })
  return damaged
}

/** What a start loads of a root: TensorFlow's libraries and, of the CUDA build, NVIDIA's. */
async function loadedFiles(root: string): Promise<string[]> {
  const folder = join(root, 'nvidia')
  const entries = existsSync(folder) ? await readdir(folder, { recursive: true, withFileTypes: true }) : []
  const files = entries.filter(entry => entry.isFile()).map(entry => relative(root, join(entry.parentPath, entry.name)))
  return [...LIBRARIES.map(name => join('lib', name)), ...files]
}

async function librarySizes(root: string): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {}
  for (const name of LIBRARIES) {
    const info = await stat(join(root, 'lib', name)).catch(() => undefined)
    if (info) sizes[name] = info.size
  }
  return sizes
}

/** Without the custom ops everything works, slower; so their failure is told and no more. */
async function compileOps(root: string, progress: Progress): Promise<string | undefined> {
  if (process.env.PIPELINE_OPS === 'off' || existsSync(opsPath(root))) return undefined
  progress.start('Compiling the custom ops', undefined, 'files')
  try {
    await buildOps(root)
    progress.finish()
    return undefined
  } catch (error) {
    progress.finish()
    return messageOf(error)
  }
}

/** Loads the binding in a process of its own: a library that this machine cannot run must not take ours down. */
async function tryBinding(root: string): Promise<void> {
  const script = 'process.stdout.write(require(process.argv[1]).TF_Version)'
  let version: string
  try {
    version = await run(process.execPath, ['-e', script, bindingPath(root)], { env: { TF_CPP_MIN_LOG_LEVEL: '2' } })
  } catch (error) {
    await rm(bindingPath(root), { force: true })
    throw new UnsupportedError(`TensorFlow ${TENSORFLOW_VERSION} cannot run on this machine: ${messageOf(error)}.`, {
      fix: 'Choose --engine wasm.',
      cause: error,
    })
  }
  if (version === TENSORFLOW_VERSION) return
  await rm(bindingPath(root), { force: true })
  for (const name of LIBRARIES) await rm(join(root, 'lib', name), { force: true })
  throw new UserError(`The libraries are of TensorFlow ${version}, but ${TENSORFLOW_VERSION} is needed.`, {
    fix: 'Name a folder with the right ones in LIBTENSORFLOW_DIR, or none.',
  })
}

async function checkDisk(root: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(root)
  if (bavail * bsize < needed)
    throw new FaultError(
      `${root} has ${gigabytes(bavail * bsize)} GB of free disk, but TensorFlow needs ${gigabytes(needed)} GB.`,
      { fix: 'Free some space, or name another place in PIPELINE_CACHE_DIR.' },
    )
}

const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1)

/** TensorFlow's Linux libraries are made for glibc; Alpine and its kin have musl. */
function checkLibc(): void {
  if (process.platform !== 'linux') return
  // The report's list of network interfaces may take seconds of name look-ups.
  Object.assign(process.report, { excludeNetwork: true })
  const report = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  if (report.header.glibcVersionRuntime) return
  throw new UnsupportedError('TensorFlow needs the GNU C library, and this Linux has another.', {
    fix: 'Choose --engine wasm.',
  })
}
