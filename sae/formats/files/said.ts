/**
 * What a file says and nobody reads is refused by name: a key or a tensor that is not known could change what the SAE
 * computes, and an SAE that computes something else is worse than none.
 */
import { UserError } from '../../../core/errors.ts'
import { quote } from '../../../core/quote.ts'

/** What a reader knows of the keys of a config. */
export interface KnownKeys {
  /** Keys that it reads. */
  readonly read: readonly string[]
  /** Keys that change neither latents nor reconstructions: of training, logging, the machine. */
  readonly harmless?: readonly string[]
  /** Keys that may only have these values, since nothing else that they could say is done. */
  readonly only?: Readonly<Record<string, readonly unknown[]>>
}

/** Refuses keys that are not known. A null says nothing. `where` is the file, and the key in it where that is not its top. */
export function mustKnowKeys(config: Readonly<Record<string, unknown>>, known: KnownKeys, where: string): void {
  const names = new Set([...known.read, ...(known.harmless ?? [])])
  for (const [key, value] of Object.entries(config)) {
    if (value === null || names.has(key)) continue
    const allowed = known.only && Object.hasOwn(known.only, key) ? known.only[key] : undefined
    if (allowed?.includes(value)) continue
    const shown = quote(String(JSON.stringify(value)))
    if (allowed)
      throw new UserError(
        `${where} says that ${key} is ${shown}; only ${allowed.map(each => JSON.stringify(each)).join(' and ')} can be read.`,
      )
    throw new UserError(
      `${where} says that ${quote(key)} is ${shown}; that key is not known, and it may change what the SAE computes.`,
      {
        fix: 'Where it does not, take it out of the file.',
      },
    )
  }
}

/** Refuses tensors that are not known. */
export function mustKnowTensors(names: Iterable<string>, known: readonly string[], path: string): void {
  const unknown = [...names].filter(name => !known.includes(name))
  if (unknown.length > 0)
    throw new UserError(
      `${path} holds ${unknown.slice(0, 4).map(quote).join(', ')}, which ${unknown.length === 1 ? 'is' : 'are'} not used by an SAE of its kind and may change what it computes.`,
      { fix: `Known are ${known.join(', ')}. Where it does not matter, take it out of the file.` },
    )
}

/** Refuses weights that are not numbers. A threshold may be infinite: that latent never fires. */
export function mustBeFinite(name: string, data: Float32Array, path: string): void {
  const at = firstUnusable(data, name.includes('threshold'))
  if (at !== undefined)
    throw new UserError(
      `${quote(name)} in ${path} holds ${data[at]} (its number ${at}): these are no usable weights.`,
      {
        fix: 'Take a checkpoint from before the training diverged.',
      },
    )
}

/** A plain loop: weights have up to a billion numbers. */
function firstUnusable(data: Float32Array, mayBeInfinite: boolean): number | undefined {
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!
    // The difference is NaN for what is no number and for what is infinite.
    if (value - value !== 0 && !(mayBeInfinite && value === Number.POSITIVE_INFINITY)) return i
  }
  return undefined
}
