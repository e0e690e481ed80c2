/**
 * Where TensorFlow comes from: a folder that the user names in `LIBTENSORFLOW_DIR` (closed networks), else pip.
 *
 * The folder holds a pinned wheel; or TensorFlow's two libraries, in it or in `lib/`, with the headers in `include/`, as an
 * installed Python package of TensorFlow has them.
 */
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../../core/errors.ts'
import { readError, writeError } from '../../core/files.ts'
import type { Progress } from '../../core/progress.ts'
import { fetchWheel, verifyWheel } from './fetch.ts'
import { cacheDirectory, LIBRARIES, TENSORFLOW_VERSION } from './places.ts'
import { unpackWheels } from './unpack.ts'
import type { Wheel, WheelSet } from './wheels.ts'

/** What filled a root. */
export interface Filled {
  /** Files or folder that it came from. */
  readonly sources: readonly string[]
  /** sha256 of what was taken, by its path in the root, where that is known. */
  readonly hashes: ReadonlyMap<string, string>
}

/** Fills a root's `lib` and `include`. */
export async function fillRoot(root: string, set: WheelSet, progress: Progress): Promise<Filled> {
  const named = process.env.LIBTENSORFLOW_DIR
  if (named) return fillFromFolder(root, named, set, progress)
  const downloads = join(cacheDirectory(), 'downloads')
  const wheels = [await fetchWheel(set.tensorflow, downloads, progress)]
  for (const wheel of set.cuda) wheels.push(await fetchWheel([wheel], downloads, progress))
  const hashes = await unpackWheels(wheels, root, progress)
  for (const wheel of wheels) await rm(wheel, { force: true })
  return { sources: wheels, hashes }
}

async function fillFromFolder(root: string, folder: string, set: WheelSet, progress: Progress): Promise<Filled> {
  const names = await readdir(folder).catch(error => {
    throw readError(folder, 'folder (LIBTENSORFLOW_DIR)', error)
  })
  const wheel = set.tensorflow.find(({ file }) => names.includes(file))
  if (wheel) {
    const wheels = [wheel, ...set.cuda]
    const missing = wheels.filter(({ file }) => !names.includes(file))
    if (missing.length > 0) throw lacks(folder, missing.map(({ file }) => file).join(', '))
    for (const one of wheels) await verify(folder, one, progress)
    const paths = wheels.map(({ file }) => join(folder, file))
    return { sources: paths, hashes: await unpackWheels(paths, root, progress) }
  }
  const libraries = [folder, join(folder, 'lib')].find(place => LIBRARIES.every(name => existsSync(join(place, name))))
  if (!libraries) throw lacks(folder, `${set.tensorflow[0]!.file}, nor ${LIBRARIES.join(' and ')}`)
  const headers = join(folder, 'include')
  if (!existsSync(join(headers, 'tensorflow/c/c_api.h'))) throw lacks(folder, 'include/tensorflow/c/c_api.h')
  progress.start('Copying TensorFlow', undefined, 'bytes')
  for (const name of LIBRARIES) await copyWhole(join(libraries, name), join(root, 'lib', name))
  await copyWhole(headers, join(root, 'include'))
  progress.finish()
  return { sources: [folder], hashes: new Map() }
}

async function verify(folder: string, wheel: Wheel, progress: Progress): Promise<void> {
  progress.start(`Checking ${wheel.file}`, undefined, 'bytes')
  await verifyWheel(join(folder, wheel.file), wheel)
  progress.finish()
}

async function copyWhole(from: string, to: string): Promise<void> {
  const partial = `${to}.partial`
  try {
    await rm(partial, { recursive: true, force: true })
    await mkdir(join(to, '..'), { recursive: true })
    await cp(from, partial, { recursive: true, dereference: true })
    await rm(to, { recursive: true, force: true })
    await rename(partial, to)
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw writeError(to, error)
  }
}

function lacks(folder: string, what: string): UserError {
  return new UserError(`LIBTENSORFLOW_DIR names ${folder}, which holds no ${what}.`, {
    fix: `Put there the wheel of TensorFlow ${TENSORFLOW_VERSION}, or its two libraries with include/.`,
  })
}
