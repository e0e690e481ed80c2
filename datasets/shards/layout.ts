/**
 * Where the columns of an Arrow IPC file lie: its footer and batch headers are FlatBuffers, of which only the few fields
 * that say so are read. The rows themselves are never parsed.
 *
 *   "ARROW1" | schema message | record batches … | footer | footer length int32 | "ARROW1"
 *
 * https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format; field numbers are those of Schema.fbs, Message.fbs
 * and File.fbs.
 */

/** One column: how its values are stored, and where each batch's begin. */
export interface ColumnLayout {
  readonly name: string
  readonly type: 'uint16' | 'uint32' | 'int32' | 'float32' | 'float16'
  /** Values of a row: 1, or the size of a fixed-size list. */
  readonly width: number
  /** Byte offset in the file of each batch's first value. */
  readonly offsets: readonly number[]
}

export interface ShardLayout {
  readonly rows: number
  /** First row of each batch, and at last `rows`. */
  readonly starts: readonly number[]
  readonly columns: readonly ColumnLayout[]
}

/** A table of a FlatBuffer. Out-of-range offsets throw a `RangeError`, from `DataView`. */
class Table {
  readonly view: DataView
  readonly at: number

  constructor(view: DataView, at: number) {
    this.view = view
    this.at = at
  }

  static root(bytes: Uint8Array): Table {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return new Table(view, view.getUint32(0, true))
  }

  /** Position of a field, or 0 where it has its default. */
  field(number: number): number {
    const vtable = this.at - this.view.getInt32(this.at, true)
    const slot = 4 + 2 * number
    if (slot >= this.view.getUint16(vtable, true)) return 0
    const offset = this.view.getUint16(vtable + slot, true)
    return offset === 0 ? 0 : this.at + offset
  }

  byte(number: number): number {
    const at = this.field(number)
    return at === 0 ? 0 : this.view.getUint8(at)
  }

  short(number: number): number {
    const at = this.field(number)
    return at === 0 ? 0 : this.view.getInt16(at, true)
  }

  int(number: number): number {
    const at = this.field(number)
    return at === 0 ? 0 : this.view.getInt32(at, true)
  }

  table(number: number): Table {
    const at = this.field(number)
    if (at === 0) throw new RangeError(`field ${number} is missing`)
    return new Table(this.view, at + this.view.getUint32(at, true))
  }

  text(number: number): string {
    const at = this.field(number)
    if (at === 0) return ''
    const start = at + this.view.getUint32(at, true)
    const length = this.view.getUint32(start, true)
    return Buffer.from(this.view.buffer, this.view.byteOffset + start + 4, length).toString('utf8')
  }

  /** Positions of a vector's elements, `size` bytes each. */
  vector(number: number, size: number): number[] {
    const at = this.field(number)
    if (at === 0) return []
    const start = at + this.view.getUint32(at, true)
    const length = this.view.getUint32(start, true)
    if (length * size > this.view.byteLength) throw new RangeError('a vector is longer than its file')
    return Array.from({ length }, (_, i) => start + 4 + i * size)
  }

  tables(number: number): Table[] {
    return this.vector(number, 4).map(at => new Table(this.view, at + this.view.getUint32(at, true)))
  }
}

const magic = 'ARROW1'
const intType = 2
const floatType = 3
const fixedSizeListType = 16

/** The layout of a file of `size` bytes; `read` gives a range of them. Throws an `Error` that says what is wrong. */
export function readLayout(size: number, read: (offset: number, length: number) => Uint8Array): ShardLayout {
  if (size < 2 * magic.length + 4) throw new Error('it is too short')
  const tail = read(size - 10, 10)
  if (Buffer.from(tail.subarray(4)).toString('latin1') !== magic) throw new Error('its end mark is missing')
  const footerLength = new DataView(tail.buffer, tail.byteOffset).getInt32(0, true)
  if (footerLength <= 0 || footerLength > size - 18) throw new Error('its footer is longer than the file')
  try {
    const footer = Table.root(read(size - 10 - footerLength, footerLength))
    const columns = footer.table(1).tables(1).map(columnOf)
    const blocks = footer.vector(3, 24).map(at => ({
      offset: size64(footer.view, at, 'the place of a batch'),
      header: footer.view.getInt32(at + 8, true),
      body: size64(footer.view, at + 16, 'the size of a batch'),
    }))
    const starts = [0]
    const offsets: number[][] = columns.map(() => [])
    for (const { offset, header, body } of blocks) {
      if (header < 0 || offset + header + body > size) throw new RangeError('a batch ends after the file')
      const batch = batchOf(read(offset, header))
      if (batch.rows > size) throw new RangeError('a batch has more rows than the file has bytes')
      starts.push(starts[starts.length - 1]! + batch.rows)
      let buffer = 0
      columns.forEach(({ width, bytes, list }, i) => {
        buffer += list ? 2 : 1 // validity bitmaps: of the column and, in a list, of its items
        const at = batch.buffers[buffer++]
        if (!at || at.length < batch.rows * width * bytes || at.offset + at.length > body)
          throw new RangeError(`column ${columns[i]!.name} is cut`)
        offsets[i]!.push(offset + header + at.offset)
      })
    }
    return {
      rows: starts[starts.length - 1]!,
      starts,
      columns: columns.map(({ name, type, width }, i) => ({ name, type, width, offsets: offsets[i]! })),
    }
  } catch (error) {
    if (error instanceof RangeError) throw new Error(`its footer is damaged (${error.message})`)
    throw error
  }
}

function columnOf(field: Table) {
  const name = field.text(0)
  const list = field.byte(2) === fixedSizeListType
  const value = list ? field.tables(5)[0] : field
  if (!value) throw new RangeError(`column ${name} is a list of nothing`)
  const width = list ? field.table(3).int(0) : 1
  if (width < 1) throw new RangeError(`column ${name} has rows of ${width} values`)
  const type = valueType(value)
  if (type === undefined) throw new Error(`its column ${name} has a type that shards do not have`)
  return { name, type, width, list, bytes: type.endsWith('16') ? 2 : 4 }
}

function valueType(field: Table): ColumnLayout['type'] | undefined {
  const type = field.table(3)
  if (field.byte(2) === floatType) return ([`float16`, 'float32'] as const)[type.short(0)]
  if (field.byte(2) !== intType) return undefined
  const name = `${type.byte(1) ? '' : 'u'}int${type.int(0)}`
  return (['uint16', 'uint32', 'int32'] as const).find(known => known === name)
}

function batchOf(bytes: Uint8Array) {
  // A message: 0xffffffff, the header's length, the header.
  const message = Table.root(bytes.subarray(8))
  if (message.byte(1) !== 3) throw new RangeError('a batch is not a record batch')
  const batch = message.table(2)
  if (batch.field(3) !== 0) throw new Error('its batches are compressed')
  const { view } = batch
  if (batch.vector(1, 16).some(at => view.getBigInt64(at + 8, true) !== 0n)) throw new Error('it has missing values')
  const buffers = batch.vector(2, 16).map(at => ({
    offset: size64(view, at, 'the place of a column'),
    length: size64(view, at + 8, 'the size of a column'),
  }))
  const rows = batch.field(0)
  return { rows: rows === 0 ? 0 : size64(view, rows, 'the number of rows'), buffers }
}

/** A 64-bit size or place, which is neither negative nor beyond what a number holds. */
function size64(view: DataView, at: number, what: string): number {
  const value = view.getBigInt64(at, true)
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError(`${what} is ${value}`)
  return Number(value)
}
