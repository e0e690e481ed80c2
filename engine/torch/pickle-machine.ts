/**
 * The instructions of a pickle, as a machine with a stack and a memo. What a name means, what calling it gives and what lies outside
 * the pickle is told by a `PickleMeaning`; the machine itself runs no code of a file.
 */
import { UserError } from '../../core/errors.ts'

/** What a pickle's names stand for. */
export interface PickleMeaning {
  /** The value of a name, "module name"; throws a `UserError` for one that it does not know. */
  global(name: string): unknown
  /** What a call gives; throws a `UserError` where it knows no such call. */
  call(callable: unknown, args: unknown): unknown
  /** What the pickle names by an id, since it lies elsewhere in the file. */
  persistent(id: unknown): unknown
}

/** The error for a file whose pickle cannot be read. */
export function brokenPickle(path: string, why: string): UserError {
  return new UserError(`${path} is not a readable state dict: ${why}.`)
}

const mark = Symbol('mark')

/** Python 3.8 and later write 5; what is new in it is not used by state dicts. */
const newestProtocol = 5

/** Reads one pickle: dicts are Maps, tuples and lists arrays. */
export class PickleMachine {
  private readonly bytes: Uint8Array
  private readonly view: DataView
  private readonly path: string
  private readonly meaning: PickleMeaning
  private readonly stack: unknown[] = []
  private readonly memo = new Map<number, unknown>()
  private at = 0

  constructor(bytes: Uint8Array, path: string, meaning: PickleMeaning) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.path = path
    this.meaning = meaning
  }

  /** The byte after what was read. */
  get place(): number {
    return this.at
  }

  /** The value that the program builds. */
  run(): unknown {
    for (;;) {
      const opcode = this.take(1)[0]!
      if (opcode === 0x2e) return this.pop()
      this.step(opcode)
    }
  }

  private step(opcode: number): void {
    switch (String.fromCharCode(opcode)) {
      case '\x80': // PROTO
        if (this.take(1)[0]! > newestProtocol) throw this.broken(`its protocol is newer than ${newestProtocol}`)
        break
      case '\x95': // FRAME
        this.take(8)
        break
      case '(':
        this.push(mark)
        break
      case ')':
      case ']':
        this.push([])
        break
      case '}':
        this.push(new Map())
        break
      case 'N':
        this.push(null)
        break
      case '\x88':
        this.push(true)
        break
      case '\x89':
        this.push(false)
        break
      case 'K':
        this.push(this.take(1)[0])
        break
      case 'M':
        this.push(this.number(2, at => this.view.getUint16(at, true)))
        break
      case 'J':
        this.push(this.number(4, at => this.view.getInt32(at, true)))
        break
      case 'G':
        this.push(this.number(8, at => this.view.getFloat64(at)))
        break
      case '\x8a': // LONG1
        this.push(this.long(this.take(1)[0]!))
        break
      case 'X':
        this.push(this.text(this.number(4, at => this.view.getUint32(at, true))))
        break
      case '\x8d': // BINUNICODE8
        this.push(this.text(this.number(8, at => Number(this.view.getBigUint64(at, true)))))
        break
      case '\x8c': // SHORT_BINUNICODE
        this.push(this.text(this.take(1)[0]!))
        break
      case 'U':
        this.push(this.text(this.take(1)[0]!))
        break
      case 'q':
        this.remember(this.take(1)[0]!)
        break
      case 'r':
        this.remember(this.number(4, at => this.view.getUint32(at, true)))
        break
      case '\x94': // MEMOIZE
        this.remember(this.memo.size)
        break
      case 'h':
        this.recall(this.take(1)[0]!)
        break
      case 'j':
        this.recall(this.number(4, at => this.view.getUint32(at, true)))
        break
      case 't':
        this.push(this.popToMark())
        break
      case '\x85':
        this.push(this.popMany(1))
        break
      case '\x86':
        this.push(this.popMany(2))
        break
      case '\x87':
        this.push(this.popMany(3))
        break
      case 'a': {
        const item = this.pop()
        this.list().push(item)
        break
      }
      case 'e': {
        const items = this.popToMark()
        const list = this.list()
        for (const item of items) list.push(item)
        break
      }
      case 's': {
        const [key, value] = this.popMany(2)
        this.map().set(key, value)
        break
      }
      case 'u': {
        const items = this.popToMark()
        if (items.length % 2) throw this.broken('a key has no value')
        for (let i = 0; i < items.length; i += 2) this.map().set(items[i], items[i + 1])
        break
      }
      case 'c':
        this.push(this.meaning.global(`${this.line()} ${this.line()}`))
        break
      case '\x93': {
        const [module, name] = this.popMany(2)
        if (typeof module !== 'string' || typeof name !== 'string') throw this.broken('it names what is no text')
        this.push(this.meaning.global(`${module} ${name}`))
        break
      }
      case 'Q':
        this.push(this.meaning.persistent(this.pop()))
        break
      case 'R': {
        const [callable, args] = this.popMany(2)
        this.push(this.meaning.call(callable, args))
        break
      }
      case 'b': // BUILD: attributes of an OrderedDict (`_metadata`), which hold nothing we want
        this.pop()
        this.map()
        break
      default:
        throw this.broken(`it has the instruction 0x${opcode.toString(16)}, which a state dict does not need`)
    }
  }

  private push(value: unknown): void {
    this.stack.push(value)
  }

  private pop(): unknown {
    if (this.stack.length === 0) throw this.broken('it takes more than it made')
    return this.stack.pop()
  }

  private popMany(count: number): unknown[] {
    if (this.stack.length < count) throw this.broken('it takes more than it made')
    return this.stack.splice(this.stack.length - count)
  }

  private popToMark(): unknown[] {
    const start = this.stack.lastIndexOf(mark)
    if (start < 0) throw this.broken('it closes what it did not open')
    const items = this.stack.splice(start + 1)
    this.stack.pop()
    return items
  }

  private list(): unknown[] {
    const top = this.stack[this.stack.length - 1]
    if (!Array.isArray(top)) throw this.broken('it adds to something that is no list')
    return top
  }

  private map(): Map<unknown, unknown> {
    const top = this.stack[this.stack.length - 1]
    if (!(top instanceof Map)) throw this.broken('it sets a key of something that is no dict')
    return top
  }

  private remember(slot: number): void {
    const top = this.stack[this.stack.length - 1]
    this.memo.set(slot, top)
  }

  private recall(slot: number): void {
    if (!this.memo.has(slot)) throw this.broken('it recalls what it did not store')
    this.push(this.memo.get(slot))
  }

  private take(count: number): Uint8Array {
    if (this.at + count > this.bytes.length) throw this.broken('it ends too early')
    this.at += count
    return this.bytes.subarray(this.at - count, this.at)
  }

  private number(bytes: number, read: (at: number) => number): number {
    this.take(bytes)
    return read(this.at - bytes)
  }

  private long(bytes: number): number {
    let value = 0n
    this.take(bytes).forEach((byte, i) => {
      value |= BigInt(byte) << BigInt(8 * i)
    })
    return Number(BigInt.asIntN(Math.max(1, 8 * bytes), value))
  }

  private text(bytes: number): string {
    return new TextDecoder().decode(this.take(bytes))
  }

  private line(): string {
    const end = this.bytes.indexOf(0x0a, this.at)
    if (end < 0 || end - this.at > 256) throw this.broken('it ends too early')
    const text = new TextDecoder().decode(this.bytes.subarray(this.at, end))
    this.at = end + 1
    return text
  }

  private broken(why: string): UserError {
    return brokenPickle(this.path, why)
  }
}
