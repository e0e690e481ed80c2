/** `.npz` files: a zip of `.npy` arrays. Only plain numbers are read; arrays of Python objects are refused. */
import { UserError } from '../../core/errors.ts'
import { quote } from '../../core/quote.ts'
import { readWholeFile } from './bounded-file.ts'
import { type Numbers, numberTypes, toFloat32 } from './numbers.ts'
import { readZip } from './zip.ts'

/** The arrays of a file as float32, by name without `.npy`. */
export async function readNpz(path: string): Promise<Map<string, Numbers>> {
  return parseNpz(await readWholeFile(path, 'npz file'), path)
}

/** The same, of a file's bytes. */
export function parseNpz(file: Uint8Array, path: string): Map<string, Numbers> {
  const arrays = new Map<string, Numbers>()
  for (const [name, bytes] of readZip(file, path))
    arrays.set(name.replace(/\.npy$/, ''), readNpy(bytes, `${quote(name)} in ${path}`))
  return arrays
}

const types: Record<string, keyof typeof numberTypes> = {
  '<f4': 'float32',
  '<f2': 'float16',
  '<f8': 'float64',
  '<i4': 'int32',
  '<i8': 'int64',
  '|u1': 'uint8',
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
    /^\{\s*'descr':\s*'([^']{2,4})',\s*'fortran_order':\s*(True|False),\s*'shape':\s*\(([\d,\s]*)\),?\s*\}\s*$/.exec(
      header,
    )
  if (!match) throw broken('its header is not that of a plain array of numbers')
  const type = types[match[1]!]
  if (!type) throw broken(`its type ${quote(match[1]!)} is not one of ${Object.keys(types).join(', ')}`)
  const shape = match[3]!.split(',').flatMap(part => (part.trim() === '' ? [] : [Number(part)]))
  if (match[2] === 'True' && shape.length > 1) throw broken('it is in Fortran order')
  const size = shape.reduce((product, side) => product * side, 1)
  const data = bytes.subarray(start + length)
  if (size * numberTypes[type].bytes !== data.length)
    throw broken(`its shape [${shape}] does not fit its ${data.length} bytes`)
  return { shape, data: toFloat32(data, type, size) }
}
