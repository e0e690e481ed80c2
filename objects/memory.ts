/** Objects in memory, for tests. */
import { readFile } from 'node:fs/promises'
import { NotThereError } from '../core/errors.ts'
import { checkName, type ObjectStore } from './object-store.ts'

/** An empty store that lives as long as this process. */
export function memoryStore(): ObjectStore {
  const objects = new Map<string, Uint8Array>()
  return {
    place: 'memory',
    async head(name) {
      checkName(name)
      const found = objects.get(name)
      return found && { bytes: found.length }
    },
    async read(name, range) {
      checkName(name)
      const found = objects.get(name)
      if (!found) throw new NotThereError(`There is no object ${name} in memory.`)
      return found.slice(range?.start, range?.end)
    },
    async list(prefix) {
      return [...objects.keys()].filter(name => name.startsWith(prefix)).sort()
    },
    async putIfAbsent(name, data) {
      checkName(name)
      const bytes = data instanceof Uint8Array ? data.slice() : await readFile(data.file)
      if (objects.has(name)) return false
      objects.set(name, bytes)
      return true
    },
    async remove(name) {
      objects.delete(name)
    },
  }
}
