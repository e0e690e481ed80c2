/** Where the shared models, texts and expected values are, on machines that have them. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../shared', import.meta.url))

/** The path of a shared file or folder, or undefined (with a note) where this machine has none: skip such tests. */
export function sharedData(...parts: string[]): string | undefined {
  return shared('data', ...parts)
}

/** The path of a shared small input, or undefined (with a note). */
export function sharedCase(...parts: string[]): string | undefined {
  return shared('cases', ...parts)
}

function shared(...parts: string[]): string | undefined {
  const path = join(root, ...parts)
  if (existsSync(path)) return path
  console.warn(`Skipped: ${parts.join('/')} is not on this machine (shared files).`)
  return undefined
}
