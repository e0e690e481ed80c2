/**
 * Where the engine's parts lie: a cache of the user, outside any checkout, so that a second clone starts at once.
 *
 *   <cache>/tensorflow-2.21.0-cpu-linux-x64/{lib,include}    a TensorFlow root; `installed.json` is written last
 *   <cache>/tfjs-4.22.0/node_modules                         tfjs, where npm left its native backend out of ours
 *   <cache>/downloads                                        wheels, until what they hold is unpacked
 */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { LockOptions } from '../../core/lock.ts'
import type { Progress } from '../../core/progress.ts'

/** The TensorFlow that is installed. */
export const TENSORFLOW_VERSION = '2.21.0'

/** The tfjs that it is put under: the last release whose native backend was published. */
export const TFJS_VERSION = '4.22.0'

/** A build of TensorFlow: for processors alone, or with CUDA. */
export type Variant = 'cpu' | 'cuda'

/** The project's cache folder: `PIPELINE_CACHE_DIR`, or `pipeline` in the system's folder for caches of this user. */
export function cacheDirectory(): string {
  const named = process.env.PIPELINE_CACHE_DIR
  if (named) return named
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'pipeline')
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'pipeline')
}

/** The folder of a TensorFlow build for this machine: the same whether or not it is installed. */
export function tensorflowRoot(variant: Variant): string {
  return join(cacheDirectory(), `tensorflow-${TENSORFLOW_VERSION}-${variant}-${process.platform}-${process.arch}`)
}

/** The tree in the cache that holds tfjs with its native backend, for packages that npm installed without it. */
export function tfjsTree(): string {
  return join(cacheDirectory(), `tfjs-${TFJS_VERSION}`)
}

/** The compiled link between Node and TensorFlow in a root. */
export function bindingPath(root: string): string {
  return join(root, 'lib', 'tfjs_binding.node')
}

/** The addon that keeps TensorFlow's greetings off the terminal. */
export function quietPath(root: string): string {
  return join(root, 'lib', 'quiet.node')
}

/** TensorFlow's two libraries, as its wheels name them. */
export const LIBRARIES: readonly string[] =
  process.platform === 'darwin'
    ? ['libtensorflow_framework.2.dylib', 'libtensorflow_cc.2.dylib']
    : ['libtensorflow_framework.so.2', 'libtensorflow_cc.so.2']

/** What says that a root is complete: written last. */
export function manifestPath(root: string): string {
  return join(root, 'installed.json')
}

/** Whether a root was installed to the end. */
export function isInstalled(root: string): boolean {
  return existsSync(manifestPath(root)) && existsSync(bindingPath(root))
}

/** How the lock of a root is waited for: as long as it takes, since whoever holds it makes what is needed. */
export function installerLock(root: string, progress: Progress): LockOptions {
  return {
    what: `TensorFlow in ${root}`,
    patience: Number.POSITIVE_INFINITY,
    waiting: owner => progress.note(`Waiting for ${owner}, which installs the same.`),
  }
}
