/**
 * `torch.save` before PyTorch 1.6, and since then with `_use_new_zipfile_serialization=False`: five pickles one after
 * another (a magic number, the version of the layout, the machine, the value, and the keys of its storages), then for each
 * key the count of its numbers (8 bytes) and the numbers.
 */
import { UserError } from '../../core/errors.ts'
import { numberTypes } from './numbers.ts'
import { TensorRecord, type TorchParts, unpickleMany } from './unpickle.ts'

/** The magic number as its pickle holds it: ten bytes, after the instruction that says so. */
const magic = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]
/** The instruction stands behind the protocol and, from protocol 4 on, a frame. */
const magicPlaces = [2, 11]
const layoutVersion = 1001

/** Whether a file is of that form. */
export function isLegacy(file: Uint8Array): boolean {
  return magicPlaces.some(place => magic.every((byte, i) => file[place + i] === byte))
}

/** Its value and the numbers of its storages. */
export function legacyParts(file: Uint8Array, path: string): TorchParts {
  const { values, end } = unpickleMany(file, 5, path)
  const [, version, machine, value, keys] = values
  const broken = (why: string) =>
    new UserError(`${path} is not a readable state dict: ${why}.`, { fix: 'Load it in PyTorch and save it anew.' })
  if (version !== layoutVersion) throw broken(`its layout has version ${String(version)}, not ${layoutVersion}`)
  if (!(machine instanceof Map) || machine.get('little_endian') !== true) throw broken('its numbers are big-endian')
  if (!Array.isArray(keys) || !keys.every(key => typeof key === 'string')) throw broken('it lists no storages')
  const types = storageTypes(value)
  const storages = new Map<string, Uint8Array>()
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  let at = end
  for (const key of keys as string[]) {
    const type = types.get(key)
    if (!type || storages.has(key)) throw broken('its list of storages does not fit its tensors')
    if (at + 8 > file.length) throw broken('it is cut short')
    const bytes = Number(view.getBigInt64(at, true)) * numberTypes[type].bytes
    at += 8
    if (!Number.isSafeInteger(bytes) || bytes < 0 || at + bytes > file.length) throw broken('it is cut short')
    storages.set(key, file.subarray(at, at + bytes))
    at += bytes
  }
  return { value, storages }
}

/** The type of each storage that the tensors of a dict name. */
function storageTypes(value: unknown): Map<string, TensorRecord['type']> {
  const records = value instanceof Map ? [...value.values()] : []
  return new Map(records.flatMap(record => (record instanceof TensorRecord ? [[record.storage, record.type]] : [])))
}
