/** The object store that a person names: a folder, or `s3://bucket/prefix`. */
import { UserError } from '../core/errors.ts'
import { folderStore } from './fs.ts'
import type { ObjectStore } from './object-store.ts'
import { s3Place, s3Store } from './s3.ts'

/** Opens the store at a place; a `UserError` for a kind of place that is not known. */
export async function openObjectStore(place: string): Promise<ObjectStore> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(place)?.[1]
  if (scheme === undefined) return folderStore(place)
  if (scheme === 's3') return s3Store(s3Place(place))
  throw new UserError(`A store is a folder or s3://bucket/prefix, but ${place} is neither.`)
}
