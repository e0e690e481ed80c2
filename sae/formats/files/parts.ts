/** How a reader takes tensors from a file: by name, in the orientation their shape shows, and none left over. */
import { UserError } from '../../../core/errors.ts'
import { quote } from '../../../core/quote.ts'
import { openSafetensors } from '../../../engine/safetensors.ts'
import { type Numbers, transposed } from '../../../engine/torch/numbers.ts'
import { mustBeFile } from './bounded-file.ts'
import { mustKnowTensors } from './said.ts'

/** The tensors of a file, and which of them a reader has asked for. */
export class Tensors extends Map<string, Numbers> {
  private readonly asked = new Set<string>()

  override get(name: string): Numbers | undefined {
    this.asked.add(name)
    return super.get(name)
  }

  /** Refuses what nobody has asked for; `harmless` are tensors that change neither latents nor reconstructions. */
  mustBeTaken(path: string, harmless: readonly string[] = []): void {
    mustKnowTensors(this.keys(), [...this.asked, ...harmless], path)
  }
}

/** All tensors of a safetensors file. */
export async function readTensors(path: string): Promise<Tensors> {
  await mustBeFile(path, 'safetensors file')
  const file = await openSafetensors(path)
  try {
    const tensors = new Map<string, Numbers>()
    for (const name of file.names) tensors.set(name, { shape: file.shape(name), data: await file.read(name) })
    return new Tensors(withoutPrefix(tensors))
  } finally {
    await file.close()
  }
}

/** What wrappers of modules put before every name: `torch.compile` and data parallel training. */
const wrappers = ['_orig_mod.', 'module.']

/** Tensors by the names they have without a wrapper's, where every name has one. */
export function withoutPrefix(tensors: Map<string, Numbers>): Map<string, Numbers> {
  const names = [...tensors.keys()]
  const prefix = wrappers.find(wrapper => names.length > 0 && names.every(name => name.startsWith(wrapper)))
  if (prefix === undefined) return tensors
  return withoutPrefix(new Map([...tensors].map(([name, numbers]) => [name.slice(prefix.length), numbers])))
}

/** A tensor of the file; a `UserError` where it is missing. */
export function required(tensors: ReadonlyMap<string, Numbers>, name: string, path: string): Numbers {
  const found = tensors.get(name)
  if (found) return found
  throw new UserError(
    `${path} has no ${name}; it has ${[...tensors.keys()].slice(0, 12).map(quote).join(', ') || 'nothing'}.`,
  )
}

/** A number that a file gives as text (`"4"`), or the value as it is. */
export function asNumber(value: unknown): unknown {
  return typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
}

/** How many latents a TopK keeps; a whole number from 1 to the size of the dictionary. */
export function checkK(said: unknown, latents: number, path: string): number {
  const k = asNumber(said)
  if (Number.isInteger(k) && (k as number) >= 1 && (k as number) <= latents) return k as number
  throw new UserError(`k of ${path} must be a whole number from 1 to ${latents}, the size of the dictionary.`)
}

/** A vector of that length. */
export function vector(tensors: ReadonlyMap<string, Numbers>, name: string, length: number, path: string): Numbers {
  const found = required(tensors, name, path)
  if (found.data.length !== length || found.shape.length > 2)
    throw new UserError(`${name} in ${path} has shape [${found.shape}]; it must be [${length}].`)
  return { shape: [length], data: found.data }
}

/**
 * A matrix of that shape, turned over where its own shape shows that it lies the other way. Where it is square its shape
 * shows nothing, and `turned` decides: whether the format keeps it the other way round.
 */
export function matrix(
  tensors: ReadonlyMap<string, Numbers>,
  name: string,
  shape: readonly [number, number],
  turned: boolean,
  path: string,
): Numbers {
  const found = required(tensors, name, path)
  const [rows, columns] = shape
  const is = (r: number, c: number) => found.shape.length === 2 && found.shape[0] === r && found.shape[1] === c
  if (rows === columns && is(rows, columns)) return turned ? transposed(found) : found
  if (is(rows, columns)) return found
  if (is(columns, rows)) return transposed(found)
  throw new UserError(`${name} in ${path} has shape [${found.shape}]; it must be [${shape}] or the other way round.`)
}
