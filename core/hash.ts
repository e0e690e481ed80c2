/** Content hashes: sha256 in hex, of bytes, files and plain values. */
import { createHash } from 'node:crypto'
import { open, readdir, readlink, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { InterruptedError, UserError } from './errors.ts'

/** sha256 of bytes or of a string's UTF-8. */
export function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex')
}

/** sha256 of a file, of which one piece is in memory at a time. Throws an `InterruptedError` once a signal is aborted. */
export async function sha256File(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path)
  try {
    const piece = Buffer.allocUnsafe(1 << 20)
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, piece.length, null)
      if (signal?.aborted)
        throw new InterruptedError('Hashing was interrupted.', { fix: 'Start the same command again.' })
      if (bytesRead === 0) return hash.digest('hex')
      hash.update(piece.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}

/** JSON with sorted keys and without undefined values: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : part,
  )
}

/** sha256 of a plain value, whatever the order of its keys. */
export function hashValue(value: unknown): string {
  return sha256(canonicalJson(value))
}

/** The same, of what is a file indeed: pipes and devices in a directory would never end. */
async function sha256OfPlain(path: string): Promise<string> {
  if (!(await stat(path)).isFile()) throw new UserError(`${path} is neither a file nor a folder, and is not read.`)
  return sha256File(path)
}

/**
 * sha256 of a file, or of a directory as the sorted list of its files' paths and hashes. Links are followed; one that leads
 * nowhere stands for itself, and one back into a folder that it lies in is passed over.
 */
export async function hashPath(path: string): Promise<string> {
  const info = await stat(path)
  if (!info.isDirectory()) return sha256File(path)
  const lines: string[] = []
  const walk = async (folder: string, prefix: string, above: readonly string[]) => {
    const here = await realpath(folder)
    if (above.includes(here)) return
    for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const name = prefix + entry.name
      const place = join(folder, entry.name)
      const found = entry.isSymbolicLink() ? await stat(place).catch(() => undefined) : entry
      if (!found) lines.push(`${name} -> ${await readlink(place)}`)
      else if (found.isDirectory()) await walk(place, `${name}/`, [...above, here])
      else lines.push(`${name} ${await sha256OfPlain(place)}`)
    }
  }
  await walk(path, '', [])
  return sha256(lines.join('\n'))
}
