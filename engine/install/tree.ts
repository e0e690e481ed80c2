/**
 * tfjs with its native backend, in the cache. It is no dependency of this package, since its own install script downloads an
 * old TensorFlow, and scripts must be free to run: they build this package where it is installed from git.
 */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FaultError, messageOf, UserError } from '../../core/errors.ts'
import type { Progress } from '../../core/progress.ts'
import { hasNativeBackend } from '../tf.ts'
import { TFJS_VERSION, tfjsTree } from './places.ts'
import { ProgramError, run } from './run.ts'

const PACKAGES = ['tfjs', 'tfjs-backend-wasm', 'tfjs-node-gpu'].map(name => `@tensorflow/${name}@${TFJS_VERSION}`)

/** Installs tfjs's packages, without their scripts, unless they are in reach. Returns whether it did. */
export async function installTree(progress: Progress): Promise<boolean> {
  if (hasNativeBackend()) return false
  const tree = tfjsTree()
  const partial = `${tree}.partial`
  progress.start("Fetching tfjs's native backend", undefined, 'packages')
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { recursive: true })
  await writeFile(join(partial, 'package.json'), '{ "private": true }\n')
  try {
    await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...PACKAGES], {
      cwd: partial,
    })
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    const missing = error instanceof ProgramError && error.missing
    throw new (missing ? UserError : FaultError)(`npm could not fetch ${PACKAGES.at(-1)}: ${messageOf(error)}.`, {
      fix: missing ? 'Install npm.' : 'Check the network and npm’s registry.',
      cause: error,
    })
  }
  await rm(tree, { recursive: true, force: true })
  await rename(partial, tree)
  progress.finish()
  return true
}
