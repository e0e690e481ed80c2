/**
 * What a measure of an SAE as a whole is: a number that other work reports, with raw rows of its own, repetitions, and the smallest
 * difference that is more than these differ by. A new one is one file here, its findings in contracts/measures.ts, and one line in
 * the index.
 *
 * Two measures of SAEBench are left out: TPP falls the longer an SAE is trained, and SCR at large n runs against the truth
 * (arXiv:2605.18229), so that neither tells one SAE from another.
 */
import type { StageContext } from '../../core/stage.ts'
import type { TokenWindow } from '../../datasets/document.ts'
import type { ValidateInputs } from '../inputs.ts'
import type { RowColumns } from '../tables.ts'

/** A raw value of a measure. */
export type Cell = number | string | null | readonly number[] | readonly string[]
export type MeasureRow = Readonly<Record<string, Cell>>

/** What measures work on: text to fit on, and text to test on. */
export interface MeasureBench {
  readonly context: StageContext
  readonly inputs: Pick<ValidateInputs, 'model' | 'sae' | 'dataset' | 'config' | 'tokenizer' | 'ravel'>
  readonly windows: { readonly discovery: readonly TokenWindow[]; readonly validation: readonly TokenWindow[] }
  /** Lets signals in; throws where the run was interrupted. To be called between pieces of work. */
  pause(): Promise<void>
}

export interface Measure<Row extends MeasureRow = MeasureRow, Found = unknown> {
  /** Its name in settings, evidence and the name of its table. */
  readonly name: string
  readonly question: string
  /** What each number means. */
  readonly definitions: Readonly<Record<string, string>>
  readonly columns: RowColumns
  measure(bench: MeasureBench): Promise<Row[]>
  /** What the rows say; null where nothing could be measured. */
  judge(rows: readonly Row[]): Found | null
}
