/**
 * Writes state dicts as `torch.save` does, so that `torch.load(…, weights_only=True)` reads them: a zip whose `data.pkl` is
 * a pickle of an OrderedDict of tensors, with the numbers in `data/0`, `data/1` …, each aligned to 64 bytes.
 */
import { zipPieces } from '../../core/zip-writer.ts'

/** A tensor to write; no dimensions make a scalar. */
export interface StateTensor {
  readonly shape: readonly number[]
  readonly data: Float32Array | Int32Array | BigInt64Array
}

const alignment = 64
/** The folder inside the archive; PyTorch takes the file's name. */
const root = 'ae'

/** The file of a state dict, in pieces that are to be written one after another. Equal tensors give equal bytes. */
export function stateDictPieces(tensors: Readonly<Record<string, StateTensor>>): Uint8Array[] {
  const text = (value: string) => [new TextEncoder().encode(value)]
  const entries = Object.entries(tensors)
  return zipPieces(
    [
      { name: `${root}/data.pkl`, data: [pickleOf(entries)] },
      { name: `${root}/byteorder`, data: text('little') },
      ...entries.map(([, { data }], i) => ({
        name: `${root}/data/${i}`,
        data: [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)],
      })),
      { name: `${root}/version`, data: text('3\n') },
    ],
    { align: alignment },
  )
}

/** The pickle, protocol 2: only instructions that build tuples, texts, numbers and the four names below. */
function pickleOf(entries: readonly (readonly [string, StateTensor])[]): Uint8Array {
  const bytes: number[] = [0x80, 2]
  const code = (text: string) => {
    for (let i = 0; i < text.length; i++) bytes.push(text.charCodeAt(i))
  }
  const global = (module: string, name: string) => code(`c${module}\n${name}\n`)
  const emptyOrderedDict = () => {
    global('collections', 'OrderedDict')
    code(')R')
  }
  const unsigned = (value: number) => bytes.push(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24)
  const text = (value: string) => {
    const utf8 = new TextEncoder().encode(value)
    code('X')
    unsigned(utf8.length)
    bytes.push(...utf8)
  }
  const integer = (value: number) => {
    if (value < 256) bytes.push(0x4b, value)
    else if (value < 2 ** 31) {
      code('J')
      unsigned(value)
    } else {
      bytes.push(0x8a, 8)
      for (let i = 0n; i < 64n; i += 8n) bytes.push(Number((BigInt(value) >> i) & 255n))
    }
  }
  const tuple = (values: readonly number[]) => {
    code('(')
    values.forEach(integer)
    code('t')
  }
  emptyOrderedDict()
  code('(')
  for (const [i, [name, { shape, data }]] of entries.entries()) {
    text(name)
    global('torch._utils', '_rebuild_tensor_v2')
    code('((')
    text('storage')
    global('torch', storageOf(data))
    text(String(i))
    text('cpu')
    integer(data.length)
    code('tQK\x00')
    tuple(shape)
    tuple(shape.map((_, axis) => shape.slice(axis + 1).reduce((product, side) => product * side, 1)))
    code('\x89')
    emptyOrderedDict()
    code('tR')
  }
  code('u.')
  return Uint8Array.from(bytes)
}

function storageOf(data: StateTensor['data']): string {
  if (data instanceof Float32Array) return 'FloatStorage'
  return data instanceof Int32Array ? 'IntStorage' : 'LongStorage'
}
