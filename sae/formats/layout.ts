/** What a layout of files is: by which files it is known, and how the SAE in them is read. */
import type { Imported } from './parts.ts'

export interface Layout {
  readonly name: string
  /** Of the names in a folder, those of files that are each the main one of an SAE. */
  find(names: readonly string[]): string[]
  /** Reads the SAE whose main file lies at this path. Every malformed file is a `UserError`. */
  read(path: string): Promise<Imported>
  /** Whether an SAE is its main file alone, so that others may lie beside it; else all of the folder belongs to it. */
  readonly alone?: boolean
}
