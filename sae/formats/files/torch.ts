/**
 * `torch.save` files: a pickle that describes tensors, and their numbers. Since PyTorch 1.6 that is a zip with `data.pkl`
 * and `data/N`; what is older (torch-legacy.ts) has one after the other.
 */
import { UserError } from '../../../core/errors.ts'
import { quote } from '../../../core/quote.ts'
import { unzip } from '../../../core/zip.ts'
import { isLegacy, legacyParts } from '../../../engine/torch/legacy.ts'
import { gather, type Numbers, numberTypes } from '../../../engine/torch/numbers.ts'
import { TensorRecord, type TorchParts, unpickle } from '../../../engine/torch/unpickle.ts'
import { readWholeFile } from './bounded-file.ts'
import { Tensors, withoutPrefix } from './parts.ts'

/** The tensors of a saved state dict as float32, by name. Nothing but tensors is allowed in the file. */
export async function readStateDict(path: string): Promise<Tensors> {
  return parseStateDict(await readWholeFile(path, 'PyTorch file'), path)
}

/** The same, of a file's bytes. */
export function parseStateDict(file: Uint8Array, path: string): Tensors {
  const { tensors, others } = parseTorch(file, path)
  const [other] = others.keys()
  if (other !== undefined)
    throw new UserError(`${path} holds ${quote(other)}, which is no tensor.`, { fix: 'Save the state dict alone.' })
  return tensors
}

/** The tensors of a file whose dict holds plain values besides, and those values. */
export async function readTorch(path: string): Promise<ReturnType<typeof parseTorch>> {
  return parseTorch(await readWholeFile(path, 'PyTorch file'), path)
}

/** The same, of a file's bytes. */
function parseTorch(file: Uint8Array, path: string): { tensors: Tensors; others: Map<string, unknown> } {
  const { value, storages } = isLegacy(file) ? legacyParts(file, path) : zippedParts(file, path)
  if (!(value instanceof Map)) throw new UserError(`${path} holds no state dict.`)
  const tensors = new Map<string, Numbers>()
  const others = new Map<string, unknown>()
  let left = file.length
  for (const [name, record] of value) {
    if (typeof name !== 'string')
      throw new UserError(`${path} holds a key, which is no tensor.`, { fix: 'Save the state dict alone.' })
    if (!(record instanceof TensorRecord)) {
      others.set(name, record)
      continue
    }
    const storage = storages.get(record.storage)
    if (!storage) throw new UserError(`${path} lacks the numbers of ${quote(name)}.`)
    const tensor = gather(record, storage, `${quote(name)} in ${path}`)
    // Tensors may share a storage; that they all together are no larger than the file keeps a small one from growing.
    left -= tensor.data.length * numberTypes[record.type].bytes
    if (left < 0) throw new UserError(`The tensors in ${path} take more room than the file.`)
    tensors.set(name, tensor)
  }
  return { tensors: new Tensors(withoutPrefix(tensors)), others }
}

function zippedParts(file: Uint8Array, path: string): TorchParts {
  const members = unzip(file, path)
  const pickle = [...members.keys()].find(name => /^[^/]+\/data\.pkl$/.test(name))
  if (!pickle) throw new UserError(`${path} holds no data.pkl.`, { fix: 'Save it with torch.save.' })
  const root = pickle.slice(0, -'data.pkl'.length)
  const order = members.get(`${root}byteorder`)
  if (order && new TextDecoder().decode(order).trim() !== 'little')
    throw new UserError(`${path} has big-endian numbers.`)
  const prefix = `${root}data/`
  return {
    value: unpickle(members.get(pickle)!, path),
    storages: new Map(
      [...members].flatMap(([name, bytes]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), bytes]] : [])),
    ),
  }
}
