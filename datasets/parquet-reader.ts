/**
 * Decoding Parquet in a thread of its own. parquet-wasm ends whatever runs it where a file is damaged in a way that it did
 * not expect, and cannot be used after that; so the thread is given up with the module in it, and the next file gets
 * another. Files are decoded one at a time.
 */
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'

/** What a file's footer says; `schema` is an Arrow IPC stream without rows. */
export interface ParquetFooter {
  readonly rows: number
  readonly rowGroups: readonly number[]
  readonly schema: Uint8Array
  /** Text by key that its writer put there. */
  readonly metadata: ReadonlyMap<string, string | undefined>
}

/** parquet-wasm's own options. */
export interface ParquetReadOptions {
  readonly batchSize?: number
  readonly columns?: readonly string[]
  readonly rowGroups?: readonly number[]
  readonly offset?: number
  readonly limit?: number
}

/** A file's footer, and its rows when they are asked for. */
export interface OpenedParquet {
  readonly footer: ParquetFooter
  /** Rows as an Arrow IPC stream. */
  read(options: ParquetReadOptions): Promise<Uint8Array>
}

/** The thread's program, as text, since sources and build have different file endings. */
const program = `
const { parentPort, workerData } = require('node:worker_threads')
const parquet = require(workerData)
let bytes
async function answer(request) {
  if (request.read) return parquet.readParquet(bytes, request.read).intoIPCStream()
  bytes = request.bytes
  const file = await parquet.ParquetFile.fromFile(new Blob([bytes]))
  const footer = file.metadata()
  return {
    rows: footer.fileMetadata().numRows(),
    rowGroups: footer.rowGroups().map(group => group.numRows()),
    schema: file.schema().intoIPCStream(),
    metadata: footer.fileMetadata().keyValueMetadata(),
  }
}
parentPort.on('message', request => {
  answer(request).then(
    value => parentPort.postMessage({ value }),
    error => parentPort.postMessage({ problem: String(error?.message ?? error) }),
  )
})
`

let thread: Worker | undefined
let last: Promise<unknown> = Promise.resolve()

/** Opens the bytes of a file, which are handed over, for as long as `use` works. Rejects with the decoder's words. */
export function withParquet<T>(bytes: Uint8Array<ArrayBuffer>, use: (file: OpenedParquet) => Promise<T>): Promise<T> {
  const turn = last.then(async () => {
    const footer = (await ask({ bytes }, [bytes.buffer])) as ParquetFooter
    return use({ footer, read: options => ask({ read: options }, []) as Promise<Uint8Array> })
  })
  last = turn.catch(() => {})
  return turn
}

/** Puts a question to the thread and waits for its answer or its end. */
function ask(question: object, handedOver: ArrayBuffer[]): Promise<unknown> {
  thread ??= new Worker(program, {
    eval: true,
    execArgv: [],
    workerData: createRequire(import.meta.url).resolve('parquet-wasm'),
    // A panic writes there what the person is told anyway.
    stderr: true,
  })
  const worker = thread
  return new Promise((resolve, reject) => {
    const done = () => {
      worker.off('message', answered).off('error', failed).off('exit', ended)
      worker.unref()
    }
    const giveUp = (why: string) => {
      done()
      thread = undefined
      // What a failure left of the module is not relied on; what still goes wrong in it is nobody's any more.
      worker.on('error', () => {})
      void worker.terminate()
      reject(new Error(why))
    }
    const answered = ({ value, problem }: { value?: unknown; problem?: string }) => {
      if (problem !== undefined) return giveUp(problem)
      done()
      resolve(value)
    }
    const failed = (error: Error) => giveUp(error.message)
    const ended = () => giveUp('its decoder ended')
    worker.on('message', answered).on('error', failed).on('exit', ended)
    worker.ref()
    worker.postMessage(question, handedOver)
  })
}
