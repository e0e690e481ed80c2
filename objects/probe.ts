/** What a place does when two writers meet, found out by writing there. */
import { randomUUID } from 'node:crypto'
import type { ObjectStore } from './object-store.ts'

/** What a place was seen to do. */
export interface StoreProbe {
  readonly place: string
  /** Of two writers of one name only the first succeeds. Otherwise the last one's bytes stay, which are equal bytes. */
  readonly exclusive: boolean
  /** An object that was made is in the list at once. */
  readonly listed: boolean
  /** Ranges of bytes are read as they were asked for. */
  readonly ranges: boolean
}

/** Makes, reads and removes two small objects. Throws what keeps it from writing there. */
export async function probeStore(store: ObjectStore): Promise<StoreProbe> {
  const name = `probe/${randomUUID()}`
  const bytes = (text: string) => new TextEncoder().encode(text)
  try {
    await store.putIfAbsent(name, bytes('first'))
    const second = await store.putIfAbsent(name, bytes('other'))
    const read = async (range?: { start: number; end: number }) => Buffer.from(await store.read(name, range)).toString()
    const found = {
      place: store.place,
      exclusive: !second && (await read()) === 'first',
      listed: (await store.list('probe/')).includes(name),
      ranges: (await read({ start: 1, end: 3 })) === (second ? 'th' : 'ir'),
    }
    await store.remove(name)
    return found
  } catch (error) {
    // What keeps it from writing there keeps it from removing, and is what there is to say.
    await store.remove(name).catch(() => {})
    throw error
  }
}
