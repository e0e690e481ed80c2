import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { bundle } from './bundle.ts'

/** Kilobytes, gzipped, that a browser may load for the first page, and for all of them. */
const mostFirst = 35
const mostOfAll = 90

const kilobytes = (bytes: Uint8Array) => gzipSync(bytes, { level: 9 }).length / 1024

/** A file and everything that it loads at once. */
function loadedBy(files: ReadonlyMap<string, Uint8Array>, name: string, found = new Set<string>()): Set<string> {
  if (found.has(name)) return found
  found.add(name)
  const text = new TextDecoder().decode(files.get(name))
  for (const [, other] of text.matchAll(/(?:from|import)\s*"\.\/([^"]+)"/g)) loadedBy(files, other!, found)
  return found
}

test('scripts stay small: 35 kB for any one page but that of curves, 90 kB in all, gzipped', async () => {
  const files = await bundle()
  const size = (names: Iterable<string>) => [...names].reduce((sum, name) => sum + kilobytes(files.get(name)!), 0)
  for (const page of ['main.js', 'features.js', 'play.js']) {
    const names = new Set([...loadedBy(files, 'main.js'), ...loadedBy(files, page)])
    expect(size(names), page).toBeLessThan(mostFirst)
  }
  expect(size(files.keys())).toBeLessThan(mostOfAll)
  // What is measured is what is loaded: the shared part is followed.
  expect(loadedBy(files, 'features.js').size).toBeGreaterThan(1)
  for (const bytes of files.values()) expect(new TextDecoder().decode(bytes)).not.toMatch(/https?:\/\/(?!www\.w3\.org)/)
})
