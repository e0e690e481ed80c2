/**
 * Reads the pickle of a PyTorch state dict: tensors and nothing else. A pickle is a program that may call any Python function; here
 * it has the few names below, with a meaning of our own, and every other is refused. No code of the file runs.
 */
import { UserError } from '../../core/errors.ts'
import { quote } from '../../core/quote.ts'
import type { numberTypes } from './numbers.ts'
import { brokenPickle, PickleMachine, type PickleMeaning } from './pickle-machine.ts'

/** A tensor as the pickle describes it: which storage, from which number on, in which shape and strides. */
export class TensorRecord {
  readonly storage: string
  readonly type: keyof typeof numberTypes
  readonly offset: number
  readonly shape: number[]
  readonly stride: number[]

  constructor(storage: StorageRecord, offset: number, shape: number[], stride: number[]) {
    this.storage = storage.key
    this.type = storage.type
    this.offset = offset
    this.shape = shape
    this.stride = stride
  }
}

/** What a saved file holds: the value that its pickle builds, and the numbers of each storage by its key. */
export interface TorchParts {
  readonly value: unknown
  readonly storages: ReadonlyMap<string, Uint8Array>
}

interface StorageRecord {
  readonly key: string
  readonly type: keyof typeof numberTypes
}

const storages: Record<string, keyof typeof numberTypes> = {
  'torch FloatStorage': 'float32',
  'torch DoubleStorage': 'float64',
  'torch HalfStorage': 'float16',
  'torch BFloat16Storage': 'bfloat16',
  'torch LongStorage': 'int64',
  'torch IntStorage': 'int32',
  'torch ShortStorage': 'int16',
  'torch CharStorage': 'int8',
  'torch ByteStorage': 'uint8',
  'torch BoolStorage': 'uint8',
}

const callables = ['collections OrderedDict', 'torch._utils _rebuild_tensor_v2', 'torch._utils _rebuild_parameter']

class Global {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** The few names of a state dict; every other is refused. */
class StateDictMeaning implements PickleMeaning {
  private readonly path: string

  constructor(path: string) {
    this.path = path
  }

  global(name: string): Global {
    if (!(name in storages) && !callables.includes(name))
      throw new UserError(
        `${this.path} names ${quote(name.replace(' ', '.'))}, which is no tensor: it is refused and nothing was run.`,
        {
          fix: 'Save the state dict alone, with tensors only.',
        },
      )
    return new Global(name)
  }

  call(callable: unknown, args: unknown): unknown {
    if (!(callable instanceof Global) || !Array.isArray(args))
      throw brokenPickle(this.path, 'it calls something that is no function')
    switch (callable.name) {
      case 'collections OrderedDict':
        if (args.length > 0) throw brokenPickle(this.path, 'it fills an OrderedDict while making it')
        return new Map()
      case 'torch._utils _rebuild_tensor_v2': {
        const [storage, offset, shape, stride] = args as [StorageRecord, number, number[], number[]]
        const whole = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
        const fits = Array.isArray(shape) && Array.isArray(stride) && shape.length === stride.length
        if (!isStorage(storage) || !whole(offset) || !fits || ![...shape, ...stride].every(whole))
          throw brokenPickle(this.path, 'a tensor in it has no proper shape')
        return new TensorRecord(storage, offset, shape, stride)
      }
      case 'torch._utils _rebuild_parameter':
        if (!(args[0] instanceof TensorRecord)) throw brokenPickle(this.path, 'a parameter in it is no tensor')
        return args[0]
      default:
        throw brokenPickle(this.path, `it calls ${callable.name}`)
    }
  }

  persistent(id: unknown): StorageRecord {
    // A view of a storage (a sixth value that is not None) was written before PyTorch 0.4 alone.
    const [kind, type, key, , , view] = Array.isArray(id) ? id : []
    if (view !== undefined && view !== null)
      throw brokenPickle(this.path, 'a tensor in it is a view of another storage')
    if (kind !== 'storage' || !(type instanceof Global) || !(type.name in storages) || typeof key !== 'string')
      throw brokenPickle(this.path, 'a tensor in it has no storage')
    return { key, type: storages[type.name]! }
  }
}

/** Runs a pickle and gives the value it builds: dicts are Maps, tuples and lists arrays. */
export function unpickle(bytes: Uint8Array, path: string): unknown {
  return new PickleMachine(bytes, path, new StateDictMeaning(path)).run()
}

/** Runs pickles that follow one another in a file; gives their values, and where the last of them ends. */
export function unpickleMany(bytes: Uint8Array, count: number, path: string): { values: unknown[]; end: number } {
  const values: unknown[] = []
  let end = 0
  for (let i = 0; i < count; i++) {
    const machine = new PickleMachine(bytes.subarray(end), path, new StateDictMeaning(path))
    values.push(machine.run())
    end += machine.place
  }
  return { values, end }
}

function isStorage(value: unknown): value is StorageRecord {
  return value !== null && typeof value === 'object' && 'key' in value && 'type' in value
}
