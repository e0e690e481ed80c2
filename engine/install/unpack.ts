/** From wheels to a TensorFlow root: which files are taken, and where they go. */
import { existsSync } from 'node:fs'
import { chmod, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { FaultError } from '../../core/errors.ts'
import type { Progress } from '../../core/progress.ts'
import type { ZipEntry } from '../../core/zip.ts'
import { LIBRARIES } from './places.ts'
import { extract, readZip } from './zip.ts'

/** The headers that the C API's own headers include; the wheel holds thousands of others. */
const HEADERS = [
  'tensorflow/c/',
  'tensorflow/core/platform/ctstring',
  'tensorflow/core/common_runtime/next_pluggable_device/c/',
  'tsl/platform/',
  'xla/tsl/c/',
]

/**
 * Unpacks what is needed of wheels into a root. Files that are there with the right size are left (they only get their
 * name when they are whole), so an unpacking that was cut goes on.
 */
export async function unpackWheels(wheels: readonly string[], root: string, progress: Progress): Promise<void> {
  const wanted: { wheel: string; entry: ZipEntry; target: string }[] = []
  for (const wheel of wheels)
    for (const entry of readZip(wheel)) {
      const place = placeOf(entry.name)
      if (place && (await sizeOf(join(root, place))) !== entry.size)
        wanted.push({ wheel, entry, target: join(root, place) })
    }
  const total = wanted.reduce((sum, { entry }) => sum + entry.size, 0)
  if (total > 0) {
    progress.start('Unpacking TensorFlow', total, 'bytes')
    let done = 0
    for (const { wheel, entry, target } of wanted) {
      await extract(wheel, entry, target, count => {
        done += count
        progress.update(done)
      })
      if (/\/bin\/[^/]+$/.test(entry.name)) await chmod(target, 0o755)
    }
    progress.finish()
  }
  for (const library of LIBRARIES)
    if (!existsSync(join(root, 'lib', library)))
      throw new FaultError(`${wheels.map(wheel => basename(wheel)).join(', ')} holds no ${library}.`, {
        fix: 'Name a wheel of TensorFlow itself.',
      })
}

/**
 * Where an entry of a wheel goes below the root; undefined for what is not needed. NVIDIA's libraries keep their folders:
 * TensorFlow looks for them at `../nvidia/<part>/lib` from its own.
 */
export function placeOf(name: string): string | undefined {
  if (name.endsWith('/')) return undefined
  const library = /^tensorflow\/([^/]+)$/.exec(name)?.[1]
  if (library && LIBRARIES.includes(library)) return join('lib', library)
  if (name === 'tensorflow/THIRD_PARTY_NOTICES.txt') return 'THIRD_PARTY_NOTICES.txt'
  if (name === 'tensorflow/include/LICENSE') return 'LICENSE'
  const header = /^tensorflow\/include\/(.+\.h)$/.exec(name)?.[1]
  if (header && HEADERS.some(prefix => header.startsWith(prefix))) return join('include', header)
  if (/^nvidia\/[^/]+\/(lib|bin|nvvm\/libdevice)\/[^/]+$/.test(name) && !name.endsWith('.py')) return name
  return undefined
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    info => info.size,
    () => undefined,
  )
}
