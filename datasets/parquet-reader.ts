/**
 * Decoding Parquet in a thread of its own. parquet-wasm ends whatever runs it where a file is damaged in a way that it did
 * not expect, and cannot be used after that; so the thread is given up with the module in it, and the next file gets
 * another. Files are decoded one at a time, and of a file only those ranges are read that hold its footer and the column
 * chunks asked for. The decoder's memory never shrinks: where a large file made it grow, the thread ends with it, and so it does when
 * nothing was asked for a while.
 */
import type { FileHandle } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import * as arrow from 'apache-arrow'

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
  /** Rows, with the columns asked for in the file's order. */
  read(options: ParquetReadOptions): Promise<arrow.Table>
  /** The same, at most `batchSize` rows at a time; of a row group the decoder holds the packed columns that were asked for. */
  batches(options: ParquetReadOptions): AsyncGenerator<arrow.Table>
}

/** The decoder's memory beyond which its thread ends after a file. */
const mostMemory = 32 * 2 ** 20
/** Milliseconds without a question after which the thread ends. */
const idle = 15_000
/** MiB of the thread for what is short-lived: it makes few and large things, which are not kept there. */
const youngMiB = 4

/** The thread's program, as text, since sources and build have different file endings. */
const program = `
const { readSync } = require('node:fs')
const { setFlagsFromString } = require('node:v8')
const { runInNewContext } = require('node:vm')
const { parentPort, workerData } = require('node:worker_threads')
const parquet = require(workerData)

/** Part of an open file; the decoder asks for its size, for smaller parts and for the bytes of these. */
class FilePart extends Blob {
  constructor(fd, start, end) {
    super()
    Object.assign(this, { fd, start, end })
  }
  get size() {
    return this.end - this.start
  }
  slice(from, to) {
    return new FilePart(this.fd, this.start + from, this.start + to)
  }
  async arrayBuffer() {
    const bytes = new Uint8Array(this.size)
    passed += this.size
    for (let at = 0; at < bytes.length; ) {
      const read = readSync(this.fd, bytes, at, bytes.length - at, this.start + at)
      if (read === 0) throw new Error('the file became shorter')
      at += read
    }
    return bytes.buffer
  }
}

/** Bytes that were read and lie about: beside the heap of this thread, which does not count them. */
let passed = 0
const mostPassed = 4 * 2 ** 20
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

/** Files whose footers are kept, by what tells them apart; the one asked about last is the last. */
const known = new Map()
const mostKnown = 4

let file
let batches
async function answer({ open, read, begin, next, close }) {
  if (begin) {
    batches = (await file.stream(begin)).getReader()
    return
  }
  if (next) {
    const { done, value } = await batches.read()
    return done ? [] : [value.intoIPCStream()]
  }
  // By batches: where columns are chosen, the table's own stream would name all those of the file.
  if (read) {
    const table = await file.read(read)
    const streams = table.recordBatches().map(batch => batch.intoIPCStream())
    table.free()
    return streams
  }
  if (close) {
    if (!close.key) file.free()
    file = undefined
    if (passed > mostPassed) {
      passed = 0
      collect()
    }
    return parquet.__wasm.memory.buffer.byteLength
  }
  const before = known.get(open.key)
  if (before) {
    known.delete(open.key)
    known.set(open.key, before)
    before.part.fd = open.fd
    file = before.file
    return before.told
  }
  const part = new FilePart(open.fd, 0, open.size)
  file = await parquet.ParquetFile.fromFile(part)
  const footer = file.metadata()
  const facts = footer.fileMetadata()
  const groups = footer.rowGroups()
  const told = {
    rows: facts.numRows(),
    rowGroups: groups.map(group => group.numRows()),
    schema: file.schema().intoIPCStream(),
    metadata: facts.keyValueMetadata(),
  }
  // Each is a copy in the decoder's memory, which would stay until the thread collects its garbage.
  for (const copy of [...groups, facts, footer]) copy.free()
  if (open.key) known.set(open.key, { part, file, told })
  for (const [key, oldest] of known) {
    if (known.size <= mostKnown) break
    oldest.file.free()
    known.delete(key)
  }
  return told
}
parentPort.on('message', request => {
  answer(request).then(
    value => parentPort.postMessage({ value }, Array.isArray(value) ? value.map(({ buffer }) => buffer) : []),
    error => parentPort.postMessage({ problem: String(error?.message ?? error) }),
  )
})
`

/**
 * Has the decoder compiled once, not again for speed where it is used much: the compiler takes 80 MB for that, in pieces that the
 * system does not get back. It is for a whole process, one that reads little at a time, and before its first table.
 */
export const spareMemory = (): void => setFlagsFromString('--liftoff-only')

let thread: Worker | undefined
let last: Promise<unknown> = Promise.resolve()
let rest: NodeJS.Timeout | undefined

/**
 * Opens a file of `size` bytes for as long as `use` works; its owner closes the handle afterwards. With `again` the footer is kept
 * for the next time, as long as the file is the same. Rejects with the decoder's words.
 */
export function withParquet<T>(
  handle: FileHandle,
  size: number,
  use: (file: OpenedParquet) => Promise<T>,
  { again = false } = {},
): Promise<T> {
  const turn = last.then(async () => {
    clearTimeout(rest)
    const key = again ? await keyOf(handle) : undefined
    const footer = (await ask({ open: { fd: handle.fd, size, key } })) as ParquetFooter
    const opener = thread
    try {
      return await use({
        footer,
        read: async options => tableOf((await ask({ read: options })) as Uint8Array[], footer, options.columns),
        async *batches(options) {
          await ask({ begin: options })
          for (;;) {
            const streams = (await ask({ next: true })) as Uint8Array[]
            if (streams.length === 0) return
            yield tableOf(streams, footer, options.columns)
          }
        },
      })
    } finally {
      // A thread that was given up holds nothing of the file any more.
      if (thread === opener && Number(await ask({ close: { key } })) > mostMemory) end()
      rest = setTimeout(() => {
        last = last.then(end)
      }, idle)
      rest.unref()
    }
  })
  last = turn.catch(() => {})
  return turn
}

/** What tells a file apart from others, and from itself before it was written anew. */
async function keyOf(handle: FileHandle): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await handle.stat({ bigint: true })
  return [dev, ino, size, mtimeNs, ctimeNs].join()
}

/** Batches, each of them an Arrow stream, as one table; where there is none, a table without rows. */
function tableOf(
  streams: readonly Uint8Array[],
  footer: ParquetFooter,
  columns: readonly string[] | undefined,
): arrow.Table {
  const batches = streams.flatMap(stream => arrow.tableFromIPC(stream).batches)
  if (batches.length > 0) return new arrow.Table(batches)
  const { fields } = arrow.tableFromIPC(footer.schema).schema
  return new arrow.Table(new arrow.Schema(fields.filter(({ name }) => columns?.includes(name) ?? true)))
}

/** Ends the thread; what still goes wrong in it is nobody's any more. */
function end(): void {
  const worker = thread
  thread = undefined
  worker?.on('error', () => {})
  void worker?.terminate()
}

/** Puts a question to the thread and waits for its answer or its end. */
function ask(question: object): Promise<unknown> {
  thread ??= new Worker(program, {
    eval: true,
    execArgv: [],
    resourceLimits: { maxYoungGenerationSizeMb: youngMiB },
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
      // What a failure left of the module is not relied on.
      end()
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
    worker.postMessage(question)
  })
}
