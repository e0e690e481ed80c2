/** What a layout of files is: by which files it is known, and how the SAE in them is read. */

import type { Numbers } from '../../../engine/torch/numbers.ts'
import type { SaeMetadata } from '../../sae.ts'

/** An SAE from another library under SAELens's names: W_enc [width, latents], W_dec [latents, outputs]. */
export interface Imported {
  readonly architecture: string
  readonly config: Readonly<Record<string, unknown>>
  readonly params: Readonly<Record<string, Numbers>>
  readonly metadata: SaeMetadata
  /** What the user should know of how the file was read, a sentence each; the same wherever the file lies. */
  readonly notices?: readonly string[]
}

export interface Layout {
  readonly name: string
  /** Of the names in a folder, those of files that are each the main one of an SAE. */
  find(names: readonly string[]): string[]
  /** Reads the SAE whose main file lies at this path. Every malformed file is a `UserError`. */
  read(path: string): Promise<Imported>
  /** Whether an SAE is its main file alone, so that others may lie beside it; else all of the folder belongs to it. */
  readonly alone?: boolean
}
