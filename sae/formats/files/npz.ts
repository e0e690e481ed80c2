/**
 * `.npz` files: a zip of `.npy` arrays, in rows or columns, of either byte order, compressed or not. Only plain numbers are
 * read; arrays of Python objects are refused.
 */
import { UserError } from '../../../core/errors.ts'
import { quote } from '../../../core/quote.ts'
import { unzip } from '../../../core/zip.ts'
import { byteSwapped, gather, type Numbers, numberTypes } from '../../../engine/torch/numbers.ts'
import { readWholeFile } from './bounded-file.ts'

/** The arrays of a file as float32, by name without `.npy`. */
export async function readNpz(path: string): Promise<Map<string, Numbers>> {
  return parseNpz(await readWholeFile(path, 'npz file'), path)
}

/** The same, of a file's bytes. */
export function parseNpz(file: Uint8Array, path: string): Map<string, Numbers> {
  const arrays = new Map<string, Numbers>()
  for (const [name, bytes] of unzip(file, path))
    arrays.set(name.replace(/\.npy$/, ''), readNpy(bytes, `${quote(name)} in ${path}`))
  return arrays
}

/** Types by NumPy's letters, without the byte order. */
const types: Record<string, keyof typeof numberTypes> = {
  f4: 'float32',
  f2: 'float16',
  f8: 'float64',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
}

/** One `.npy` array: magic, version, header length, a Python dict literal, then the numbers. */
function readNpy(bytes: Uint8Array, what: string): Numbers {
  const broken = (why: string) => new UserError(`${what} is not a readable array: ${why}.`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(0, 6)) !== '\x93NUMPY')
    throw broken('it has no header')
  const wide = bytes[6]! > 1
  const start = wide ? 12 : 10
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true)
  if (start + length > bytes.length) throw broken('its header is longer than the file')
  const header = new TextDecoder('latin1').decode(bytes.subarray(start, start + length))
  const match =
    /^\{\s*'descr':\s*'([<>|=])([^']{1,3})',\s*'fortran_order':\s*(True|False),\s*'shape':\s*\(([\d,\s]*)\),?\s*\}\s*$/.exec(
      header,
    )
  if (!match) throw broken('its header is not that of a plain array of numbers')
  const [, order, letters, fortran, sides] = match as unknown as [string, string, string, string, string]
  const type = Object.hasOwn(types, letters) ? types[letters] : undefined
  if (!type) throw broken(`its type ${quote(order + letters)} is not one of ${Object.keys(types).join(', ')}`)
  const shape = sides.split(',').flatMap(part => (part.trim() === '' ? [] : [Number(part)]))
  const size = shape.reduce((product, side) => product * side, 1)
  const { bytes: each } = numberTypes[type]
  const given = bytes.subarray(start + length)
  if (size * each !== given.length) throw broken(`its shape [${shape}] does not fit its ${given.length} bytes`)
  const data = order === '>' ? byteSwapped(given, each) : given
  // Row by row the last axis runs fastest, in Fortran's order the first.
  const stride = shape.map((_, axis) =>
    (fortran === 'True' ? shape.slice(0, axis) : shape.slice(axis + 1)).reduce((product, side) => product * side, 1),
  )
  return gather({ type, offset: 0, shape, stride }, data, what)
}
