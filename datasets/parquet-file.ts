/** A Parquet file on disk, opened but not read: its size, and whether it starts and ends as one does. */
import { type FileHandle, open } from 'node:fs/promises'
import { readError } from '../core/files.ts'

export interface ParquetOnDisk {
  /** Closed by whoever opened it. */
  readonly handle: FileHandle
  /** Bytes. */
  readonly size: number
  /** Whether both marks are there. */
  readonly whole: boolean
  /** Whether they are those of a file whose footer is encrypted. */
  readonly encrypted: boolean
}

/** Opens a file; `what` it is goes into the `UserError` where it cannot be read. */
export async function openParquet(path: string, what: string): Promise<ParquetOnDisk> {
  let handle: FileHandle | undefined
  try {
    handle = await open(path)
    const { size } = await handle.stat()
    const marks = Buffer.alloc(8)
    await handle.read(marks, 0, 4, 0)
    if (size >= 12) await handle.read(marks, 4, 4, size - 4)
    const found = size >= 12 ? marks.toString('latin1') : ''
    return { handle, size, whole: found === 'PAR1PAR1', encrypted: found === 'PAREPARE' }
  } catch (error) {
    await handle?.close()
    throw readError(path, what, error)
  }
}
