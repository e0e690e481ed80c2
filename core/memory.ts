/** Memory that arrays took, freed now rather than later. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let collect: (() => void) | undefined

/**
 * Frees what nothing refers to any more. JavaScript's engine counts the objects on its own heap and lets arrays, which lie
 * beside it, gather by the gigabyte; call this between arrays that are large enough to be worth some milliseconds.
 */
export function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  collect()
}
