/** From wheels to a TensorFlow root: which files are taken, and where they go. */
import { existsSync } from 'node:fs'
import { chmod, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { FaultError } from '../../core/errors.ts'
import { sha256File } from '../../core/hash.ts'
import type { Progress } from '../../core/progress.ts'
import type { ZipEntry } from '../../core/zip.ts'
import { LIBRARIES } from './places.ts'
import { extract, readEntry, readZip } from './zip.ts'

/** The headers that the C API's own headers include; the wheel holds thousands of others. */
const HEADERS = [
  'tensorflow/c/',
  'tensorflow/core/platform/ctstring',
  'tensorflow/core/common_runtime/next_pluggable_device/c/',
  'tsl/platform/',
  'xla/tsl/c/',
]

/**
 * Unpacks what is needed of wheels into a root, and gives the sha256 of each file. Files that are there as the wheel's own
 * list of hashes has them are left (they only get their name when they are whole), so an unpacking that was cut goes on.
 */
export async function unpackWheels(
  wheels: readonly string[],
  root: string,
  progress: Progress,
): Promise<Map<string, string>> {
  const hashes = new Map<string, string>()
  const wanted: { wheel: string; entry: ZipEntry; place: string; expected: string | undefined }[] = []
  for (const wheel of wheels) {
    const entries = readZip(wheel)
    const recorded = recordOf(wheel, entries)
    for (const entry of entries) {
      const place = placeOf(entry.name)
      if (!place) continue
      const expected = recorded.get(entry.name)
      const path = join(root, place)
      const there = (await sizeOf(path)) === entry.size ? await sha256File(path) : undefined
      if (there !== undefined && there === expected) hashes.set(place, there)
      else wanted.push({ wheel, entry, place, expected })
    }
  }
  const total = wanted.reduce((sum, { entry }) => sum + entry.size, 0)
  if (total > 0) {
    progress.start('Unpacking TensorFlow', total, 'bytes')
    let done = 0
    for (const { wheel, entry, place, expected } of wanted) {
      const target = join(root, place)
      const sha256 = await extract(
        wheel,
        entry,
        target,
        count => {
          done += count
          progress.update(done)
        },
        expected,
      )
      hashes.set(place, sha256)
      if (/\/bin\/[^/]+$/.test(entry.name)) await chmod(target, 0o755)
    }
    progress.finish()
  }
  for (const library of LIBRARIES)
    if (!existsSync(join(root, 'lib', library)))
      throw new FaultError(`${wheels.map(wheel => basename(wheel)).join(', ')} holds no ${library}.`, {
        fix: 'Name a wheel of TensorFlow itself.',
      })
  return hashes
}

/** The sha256 of a wheel's files by name, from its own list: `name,sha256=<base64url>,bytes` a line. */
function recordOf(wheel: string, entries: readonly ZipEntry[]): Map<string, string> {
  const list = entries.find(({ name }) => /^[^/]+\.dist-info\/RECORD$/.test(name))
  const lines = list ? Buffer.from(readEntry(wheel, list)).toString('utf8').split(/\r?\n/) : []
  return new Map(
    lines.flatMap(line => {
      const found = /^"?(.+?)"?,sha256=([A-Za-z0-9_-]+),\d*$/.exec(line)
      return found ? [[found[1]!, Buffer.from(found[2]!, 'base64url').toString('hex')] as const] : []
    }),
  )
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
