/**
 * Compiling the custom ops: every `*.cc` beside this file, in parallel, to one addon in a TensorFlow root.
 *
 * The addon's name holds a hash of the sources and of how they are compiled, so a changed source is another file and an
 * unchanged one is never compiled again. One process compiles it, under a lock, and others wait for it; it is renamed into
 * place whole. Of addons of other sources the latest used stay. Nothing is compiled for this machine's processor alone (no
 * `-march=native`).
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { access, mkdir, rename, rm, utimes } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pLimit from 'p-limit'
import { codeOf, UserError } from '../../core/errors.ts'
import { withLock } from '../../core/lock.ts'

const run = promisify(execFile)
const sources = dirname(fileURLToPath(import.meta.url))
const compileFlags = [
  '-std=c++17',
  '-O3',
  '-fPIC',
  '-fvisibility=hidden',
  '-ffp-contract=fast',
  '-fno-math-errno',
  '-fno-trapping-math',
  '-Wno-psabi',
  '-DNAPI_VERSION=8',
  // Leaves out a header that the installed ones do not hold and these kernels do not need.
  '-DIS_SLIM_BUILD',
]
const linkFlags =
  process.platform === 'darwin'
    ? ['-shared', '-undefined', 'dynamic_lookup', '-Wl,-rpath,@loader_path']
    : ['-shared', '-pthread', '-Wl,-rpath,$ORIGIN', '-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2']

/** Where the addon of the present sources lies in a TensorFlow root, built or not. */
export function opsPath(tensorflowRoot: string): string {
  const hash = createHash('sha256').update(JSON.stringify([compileFlags, linkFlags]))
  for (const name of sourceFiles(/\.(cc|h)$/)) hash.update(`\0${name}\0`).update(readFileSync(join(sources, name)))
  return join(tensorflowRoot, 'lib', `pipeline_ops-${hash.digest('hex').slice(0, 16)}.node`)
}

/**
 * Builds the custom ops against a TensorFlow root unless they are built, and returns the addon's path. Throws a `UserError`
 * where there is no compiler or it fails. `CXX` names another compiler than `g++`.
 */
export async function buildOps(tensorflowRoot: string): Promise<string> {
  const path = opsPath(tensorflowRoot)
  if (existsSync(path)) {
    const now = new Date()
    // The time of its last use; another user's file keeps that of its making.
    await utimes(path, now, now).catch(() => {})
    return path
  }
  const library = join(tensorflowRoot, 'lib')
  await access(library, constants.W_OK).catch(error => {
    throw new UserError(`The custom ops could not be built in ${library}: ${codeOf(error) ?? error}.`, {
      fix: 'Check that TensorFlow is installed there and that the folder may be written.',
      cause: error,
    })
  })
  const what = `The addon of custom ops, ${path},`
  await withLock(`${path}.lock`, { what, patience: longestBuild }, async () => {
    if (!existsSync(path)) await build(tensorflowRoot, path)
  })
  await removeOldAddons(library, path)
  return path
}

/** Seconds that one process waits for another's build: it takes one minute, and ten on a machine with much else to do. */
const longestBuild = 3600

/** Compiles all sources to the addon at `path`, whose lock is held. */
async function build(tensorflowRoot: string, path: string): Promise<void> {
  const library = join(tensorflowRoot, 'lib')
  // A folder of this name is from a build that was killed.
  const work = `${path}.build`
  await rm(work, { recursive: true, force: true })
  await mkdir(work)
  try {
    const names = sourceFiles(/\.cc$/)
    if (names.length === 0)
      throw new UserError(`The custom ops could not be compiled: their sources are not in ${sources}.`, {
        fix: 'Install the package again.',
      })
    const limit = pLimit(availableParallelism())
    const headers = createRequire(import.meta.url)('node-api-headers').include_dir as string
    const includes = [`-I${join(tensorflowRoot, 'include')}`, `-I${headers}`]
    const objects = await Promise.all(
      names.map(name =>
        limit(async () => {
          const object = join(work, `${name}.o`)
          await compile([...compileFlags, ...includes, '-c', join(sources, name), '-o', object], name)
          return object
        }),
      ),
    )
    const addon = join(work, 'ops.node')
    await compile([...objects, `-L${library}`, ...linkFlags, '-o', addon], 'the addon')
    await rename(addon, path)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Addons that stay beside a new one: those of other checkouts, and of sources that are gone back to. */
const keptAddons = 7

/**
 * Removes all but the latest used addons, and what builds left that were killed longer ago than any takes. Processes that have loaded an
 * addon keep it: a file goes when its last user does.
 */
export async function removeOldAddons(library: string, except: string): Promise<void> {
  const addons = readdirSync(library)
    .filter(name => /^pipeline_ops-[0-9a-f]{16}\.node$/.test(name) && join(library, name) !== except)
    .map(name => ({
      path: join(library, name),
      used: statSync(join(library, name), { throwIfNoEntry: false })?.mtimeMs,
    }))
    .sort((a, b) => (b.used ?? 0) - (a.used ?? 0))
  for (const { path } of addons.slice(keptAddons)) await rm(path, { force: true }).catch(() => {})
  for (const name of readdirSync(library).filter(name =>
    /^pipeline_ops-[0-9a-f]{16}\.node\.(build|lock)$/.test(name),
  )) {
    const path = join(library, name)
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
    if (age > longestBuild * 1000) await rm(path, { recursive: true, force: true }).catch(() => {})
  }
}

function sourceFiles(pattern: RegExp): string[] {
  return readdirSync(sources)
    .filter(name => pattern.test(name))
    .sort()
}

async function compile(flags: string[], what: string): Promise<void> {
  const compiler = process.env.CXX || 'g++'
  try {
    await run(compiler, flags, { maxBuffer: 64 << 20 })
  } catch (error) {
    if (codeOf(error) === 'ENOENT')
      throw new UserError(`The custom ops need a C++ compiler, but there is no ${compiler}.`, {
        fix: 'Install g++, or name another compiler in CXX. Without them everything works, only slower.',
        cause: error,
      })
    const report = String((error as { stderr?: unknown }).stderr ?? error).trim()
    const first = report.split('\n').find(line => /error/i.test(line)) ?? report.split('\n')[0]
    throw new UserError(`The custom ops could not be compiled: ${compiler} failed on ${what}: ${first}`, {
      fix: 'PIPELINE_OPS=off runs without them, only slower.',
      cause: error,
    })
  }
}
