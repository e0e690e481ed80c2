/** `torch.save` files: a zip with `data.pkl`, which describes tensors, and `data/N`, which holds their numbers. */
import { UserError } from '../../core/errors.ts'
import { quote } from '../../core/quote.ts'
import { readWholeFile } from './bounded-file.ts'
import { type Numbers, numberTypes, readerOf, toFloat32 } from './numbers.ts'
import { TensorRecord, unpickle } from './unpickle.ts'
import { readZip } from './zip.ts'

/** The tensors of a saved state dict as float32, by name. Nothing but tensors is allowed in the file. */
export async function readStateDict(path: string): Promise<Map<string, Numbers>> {
  return parseStateDict(await readWholeFile(path, 'PyTorch file'), path)
}

/** The same, of a file's bytes. */
export function parseStateDict(file: Uint8Array, path: string): Map<string, Numbers> {
  const members = readZip(file, path)
  const pickle = [...members.keys()].find(name => /^[^/]+\/data\.pkl$/.test(name))
  if (!pickle)
    throw new UserError(`${path} holds no data.pkl.`, { fix: 'Save it with torch.save of PyTorch 1.6 or later.' })
  const root = pickle.slice(0, -'data.pkl'.length)
  const order = members.get(`${root}byteorder`)
  if (order && new TextDecoder().decode(order).trim() !== 'little')
    throw new UserError(`${path} has big-endian numbers.`)
  const value = unpickle(members.get(pickle)!, path)
  if (!(value instanceof Map)) throw new UserError(`${path} holds no state dict.`)
  const tensors = new Map<string, Numbers>()
  let left = file.length
  for (const [name, record] of value) {
    if (typeof name !== 'string' || !(record instanceof TensorRecord))
      throw new UserError(`${path} holds ${typeof name === 'string' ? quote(name) : 'a key'}, which is no tensor.`, {
        fix: 'Save the state dict alone.',
      })
    const storage = members.get(`${root}data/${record.storage}`)
    if (!storage) throw new UserError(`${path} lacks the numbers of ${quote(name)}.`)
    const tensor = gather(record, storage, `${quote(name)} in ${path}`)
    // Tensors may share a storage; that they all together are no larger than the file keeps a small one from growing.
    left -= tensor.data.length * numberTypes[record.type].bytes
    if (left < 0) throw new UserError(`The tensors in ${path} take more room than the file.`)
    tensors.set(name, tensor)
  }
  return tensors
}

/** Weights have one or two. */
const mostAxes = 8

/** The numbers of a tensor, row by row, whatever its strides. */
function gather({ type, offset, shape, stride }: TensorRecord, storage: Uint8Array, what: string): Numbers {
  if (shape.length > mostAxes) throw new UserError(`${what} has ${shape.length} axes; at most ${mostAxes} are read.`)
  const available = Math.floor(storage.length / numberTypes[type].bytes)
  const size = shape.reduce((product, side) => product * side, 1)
  const last = shape.reduce((sum, side, i) => sum + Math.max(0, side - 1) * stride[i]!, offset)
  // A stride of 0 repeats numbers; a tensor may not grow beyond its storage that way.
  if (size > available || (size > 0 && last >= available))
    throw new UserError(`${what} has shape [${shape}], for which its ${available} numbers are too few.`)
  if (isStraight(shape, stride)) {
    const { bytes } = numberTypes[type]
    return { shape, data: toFloat32(storage.subarray(offset * bytes, (offset + size) * bytes), type, size) }
  }
  const numbers = readerOf(storage, type)
  const data = new Float32Array(size)
  const place = new Array<number>(shape.length).fill(0)
  let at = offset
  for (let i = 0; i < size; i++) {
    data[i] = numbers(at)
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += stride[axis]!
      if (++place[axis]! < shape[axis]!) break
      at -= shape[axis]! * stride[axis]!
      place[axis] = 0
    }
  }
  return { shape, data }
}

/** Whether numbers follow one another row by row. */
function isStraight(shape: readonly number[], stride: readonly number[]): boolean {
  let step = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && stride[axis] !== step) return false
    step *= shape[axis]!
  }
  return true
}
