/**
 * Unpacking Zstandard (RFC 8878): frames one after the other, each held to the size and the checksum that it says it has.
 * `fzstd` unpacks a frame; what it does not look at is where frames end, and what they say of themselves.
 */
import { open } from 'node:fs/promises'
import { Decompress } from 'fzstd'
import xxhash from 'xxhash-wasm'

/** A frame was packed with a dictionary, without which other bytes would come out. */
export class DictionaryError extends Error {}

/** A frame looks back further than is held. */
export class WindowError extends Error {}

/** Bytes of what was unpacked that a frame may look back over, at most: they are held. */
const largestWindow = 2 ** 30

/** What a frame says of itself (§3.1.1.1). */
interface FrameHeader {
  readonly hasChecksum: boolean
  /** Bytes of its content; undefined where it does not say. */
  readonly contentSize: number | undefined
}

/** Packed bytes of a frame, as they come; `end` stands at its last ones, with its checksum where it has one. */
interface FramePiece {
  readonly header: FrameHeader
  readonly bytes: Uint8Array
  readonly end: { readonly checksum: number | undefined } | undefined
}

const magic = 0xfd2fb528
/** §3.1.2: sixteen numbers begin frames that hold nothing. */
const skippable = 0x184d2a50

/** The unpacked bytes of a file's frames. Throws an `Error` that says what is wrong where they are damaged or cut off. */
export async function* unzstandard(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { create64 } = await xxhash()
  let [frame, size] = [undefined as Decompress | undefined, 0]
  let hash = create64()
  let pieces: Uint8Array[] = []
  for await (const { header, bytes, end } of framesOf(packed)) {
    if (!frame) {
      frame = new Decompress(piece => pieces.push(piece))
      hash = create64()
      size = 0
    }
    frame.push(bytes)
    if (end) frame.push(new Uint8Array(), true)
    for (const piece of pieces) {
      size += piece.length
      if (header.hasChecksum) hash.update(piece)
      yield piece
    }
    pieces = []
    if (!end) continue
    if (header.contentSize !== undefined && header.contentSize !== size)
      throw new Error(`it says that it holds ${header.contentSize} bytes, and has ${size}`)
    if (end.checksum !== undefined && Number(hash.digest() & 0xffffffffn) !== end.checksum)
      throw new Error('its bytes do not have the checksum that it says')
    frame = undefined
  }
}

/** Whether the first frame of a file that holds anything ends in a checksum; false where there is none. */
export async function hasChecksum(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    for (let at = 0; ; ) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, at)
      if (bytesRead < 8) return false
      const number = buffer.readUInt32LE(0)
      if (number >>> 4 !== skippable >>> 4) return number === magic && (buffer[4]! & 4) !== 0
      at += 8 + buffer.readUInt32LE(4)
    }
  } finally {
    await file.close()
  }
}

/** The frames of a file, by pieces of it; those that hold nothing are passed over. */
async function* framesOf(packed: AsyncIterable<Uint8Array>): AsyncGenerator<FramePiece> {
  const input = new Input(packed)
  let count = 0
  for (; await input.has(1); count++) {
    const start = await input.take(4)
    const number = start.readUInt32LE(0)
    if (number >>> 4 === skippable >>> 4) {
      for await (const _ of input.pass((await input.take(4)).readUInt32LE(0)));
      continue
    }
    if (number !== magic) throw new Error(count === 0 ? 'it does not begin as such' : 'other bytes follow its frames')
    yield* frameOf(input, start)
  }
  if (count === 0) throw new Error('it is empty')
}

async function* frameOf(input: Input, start: Buffer): AsyncGenerator<FramePiece> {
  const descriptor = await input.take(1)
  const flags = descriptor[0]!
  if ((flags & 3) !== 0) throw new DictionaryError('it was packed with a dictionary, which is not in it')
  const isSingle = (flags & 32) !== 0
  const window = await input.take(isSingle ? 0 : 1)
  const sized = await input.take([isSingle ? 1 : 0, 2, 4, 8][flags >> 6]!)
  const header: FrameHeader = { hasChecksum: (flags & 4) !== 0, contentSize: contentSizeOf(sized) }
  const held = isSingle ? header.contentSize! : windowSizeOf(window[0]!)
  if (held > largestWindow)
    throw new WindowError(
      `it looks back over ${held.toLocaleString('en')} bytes, and at most ${largestWindow.toLocaleString('en')} are held`,
    )
  yield { header, bytes: Buffer.concat([start, descriptor, window, sized]), end: undefined }
  for (let isLast = false; !isLast; ) {
    const bytes = await input.take(3)
    const block = bytes.readUIntLE(0, 3)
    isLast = (block & 1) === 1
    const content = ((block >> 1) & 3) === 1 ? 1 : block >> 3
    yield { header, bytes, end: undefined }
    for await (const piece of input.pass(content)) yield { header, bytes: piece, end: undefined }
  }
  const bytes = await input.take(header.hasChecksum ? 4 : 0)
  yield { header, bytes, end: { checksum: header.hasChecksum ? bytes.readUInt32LE(0) : undefined } }
}

/** §3.1.1.1.2: a power of two and eighths of it. */
function windowSizeOf(descriptor: number): number {
  const power = 2 ** (10 + (descriptor >> 3))
  return power + (power / 8) * (descriptor & 7)
}

/** §3.1.1.1.4: two bytes count from 256 on. */
function contentSizeOf(bytes: Buffer): number | undefined {
  if (bytes.length === 0) return undefined
  if (bytes.length === 8) return Number(bytes.readBigUInt64LE(0))
  return bytes.readUIntLE(0, bytes.length) + (bytes.length === 2 ? 256 : 0)
}

/** Bytes of a file, taken by number. */
class Input {
  readonly #pieces: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array()

  constructor(packed: AsyncIterable<Uint8Array>) {
    this.#pieces = packed[Symbol.asyncIterator]()
  }

  /** Whether there are so many more. */
  async has(count: number): Promise<boolean> {
    while (this.#rest.length < count) {
      const { value, done } = await this.#pieces.next()
      if (done) return false
      this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value])
    }
    return true
  }

  /** The next so many, which are few. Throws an `Error` where the file ends before. */
  async take(count: number): Promise<Buffer> {
    if (!(await this.has(count))) throw new Error('it is cut off')
    const taken = Buffer.from(this.#rest.subarray(0, count))
    this.#rest = this.#rest.subarray(count)
    return taken
  }

  /** The next so many, as they come. */
  async *pass(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0; ) {
      if (!(await this.has(1))) throw new Error('it is cut off')
      const piece = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(piece.length)
      left -= piece.length
      yield piece
    }
  }
}
