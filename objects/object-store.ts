/**
 * Where processes on many machines leave what they made: named objects that are made once, whole or not at all, and never
 * changed. A kind of place is one file here and one line in `open.ts`, and runs `store.contract.ts`.
 */
import { UserError } from '../core/errors.ts'

/** Bytes of an object, from `start` up to but not including `end`. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** What an object is made of: bytes, or a file that is whole and on disk. */
export type ObjectData = Uint8Array | { readonly file: string }

/** Faults that may pass are thrown as `FaultError`, what a person has to mend as `UserError`. */
export interface ObjectStore {
  /** What messages call it. */
  readonly place: string
  /** Its size, or undefined where there is none of that name. */
  head(name: string): Promise<{ readonly bytes: number } | undefined>
  /** Its bytes, or some of them. A `NotThereError` where there is none of that name. */
  read(name: string, range?: ByteRange): Promise<Uint8Array>
  /** Names that begin so, sorted. Only whole objects are among them. */
  list(prefix: string): Promise<string[]>
  /**
   * Makes an object unless one of that name is there, and says whether it did. Of many that ask at once exactly one makes
   * it, except where the place cannot tell them apart (`probe.ts` finds out): so names follow from the bytes wherever bytes matter.
   */
  putIfAbsent(name: string, data: ObjectData): Promise<boolean>
  /** Removes an object; one that is not there is no error. */
  remove(name: string): Promise<void>
  /** Where an object lies as a plain file, for stores on a disk. */
  readonly pathOf?: (name: string) => string
}

const part = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/

/** Throws a `UserError` unless a name is one to six plain parts with slashes between, so that it is the same everywhere. */
export function checkName(name: string): void {
  const parts = name.split('/')
  if (parts.length > 6 || name.length > 500 || !parts.every(one => part.test(one)))
    throw new UserError(
      `${JSON.stringify(name)} cannot be the name of an object: one has up to six parts of letters, digits, dots, dashes and underscores, none of which begins with a dot, with slashes between.`,
    )
}
