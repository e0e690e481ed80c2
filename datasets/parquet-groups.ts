/** Rows of a Parquet file that anybody wrote, some at a time: one row group is read, and few of its rows are decoded, at once. */
import * as arrow from 'apache-arrow'
import { messageOf, UserError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import { plainValue } from './columns.ts'
import { openParquet } from './parquet-file.ts'
import { type OpenedParquet, withParquet } from './parquet-reader.ts'

/** Values by column of some rows. */
export type RowBatch = Readonly<Record<string, readonly unknown[]>>

/** Rows that are decoded at a time: texts may be long. */
const batchRows = 256

/**
 * The rows of a file in their order, with those of the wanted columns that it has; it must have all of `required` and one of
 * `either`. The file is open until the last rows were taken or nobody wants more. Throws a `UserError` for what is no whole Parquet
 * file.
 */
export async function* rowBatchesOf(
  path: string,
  wanted: readonly string[],
  required: readonly string[],
  either: readonly string[],
): AsyncGenerator<RowBatch> {
  const fail = (why: string, cause?: unknown) =>
    new UserError(`${path} is not a whole Parquet file: ${why.replace(/[\p{C}\p{Z}]+/gu, ' ').slice(0, 300)}.`, {
      fix: 'Fetch it again.',
      cause,
    })
  const opened = await openParquet(path, 'dataset')
  if (!opened.whole) {
    await opened.handle.close()
    if (opened.encrypted)
      throw new UserError(`${path} is encrypted, which is not read.`, { fix: 'Write it as plain Parquet.' })
    throw fail('its marks are missing')
  }
  const handed = new Handover<RowBatch>()
  const work = withParquet(opened.handle, opened.size, async file => {
    const columns = columnsOf(path, file, wanted, required, either)
    for (let group = 0; group < file.footer.rowGroups.length; group++) {
      for await (const table of file.batches({ batchSize: batchRows, columns, rowGroups: [group] })) {
        const values = Object.fromEntries(columns.map(name => [name, valuesOf(table.getChild(name)!)]))
        if (!(await handed.give(values))) return
      }
    }
  }).then(
    () => handed.end(),
    error => handed.end(error instanceof UserError ? error : fail(whyOf(error), error)),
  )
  try {
    yield* handed.taken()
  } finally {
    handed.stop()
    await work
    await opened.handle.close()
  }
}

/** A trap of the decoder says nothing but its name. */
function whyOf(error: unknown): string {
  const message = messageOf(error)
  return message === 'unreachable' ? 'its columns are damaged or encrypted' : message
}

/** Plain values of a column; whole numbers that no number holds exactly are texts, so that ids stay apart. */
function valuesOf(column: arrow.Vector): unknown[] {
  return Array.from(column, value =>
    typeof value === 'bigint' && !Number.isSafeInteger(Number(value)) ? String(value) : plainValue(value),
  )
}

function columnsOf(
  path: string,
  { footer }: OpenedParquet,
  wanted: readonly string[],
  required: readonly string[],
  either: readonly string[],
): string[] {
  const names = arrow.tableFromIPC(footer.schema).schema.fields.map(field => field.name)
  const none = either.every(name => !names.includes(name))
  const missing = none ? either[0] : required.find(name => !names.includes(name))
  if (missing !== undefined)
    throw new UserError(`${path} has no column ${missing}.`, {
      fix: `Its columns are ${nearest(missing, names, 8).join(', ')}; name one with dataset.textField, idField or strataFields.`,
    })
  return names.filter(name => wanted.includes(name))
}

/** Values given by one side and taken by the other, one at a time. */
class Handover<T> {
  #value: { value: T } | undefined
  #ended: { error?: unknown } | undefined
  #stopped = false
  #wake: (() => void)[] = []

  /** Waits until the value before was taken; false where no more are wanted. */
  async give(value: T): Promise<boolean> {
    while (this.#value && !this.#stopped) await this.#change()
    if (this.#stopped) return false
    this.#value = { value }
    this.#changed()
    return true
  }

  end(error?: unknown): void {
    this.#ended = error === undefined ? {} : { error }
    this.#changed()
  }

  stop(): void {
    this.#stopped = true
    this.#changed()
  }

  async *taken(): AsyncGenerator<T> {
    for (;;) {
      if (this.#value) {
        const { value } = this.#value
        this.#value = undefined
        this.#changed()
        yield value
      } else if (this.#ended) {
        if ('error' in this.#ended) throw this.#ended.error
        return
      } else await this.#change()
    }
  }

  #change(): Promise<void> {
    return new Promise(resolve => this.#wake.push(resolve))
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}
