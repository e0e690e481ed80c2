/** Rows that hold what is no number: none are learned from, and the first of them is looked for, so that a person finds it. */
import { InterruptedError, UserError } from '../../core/errors.ts'
import { breathe } from '../../core/stage.ts'
import type { ActivationSource } from './rows.ts'

const fix = 'Capture them again; `pipeline runs verify` says whether the shards are as they were written.'

/** Among rows that were read there is one with NaN or an infinity. */
export class NotFiniteError extends UserError {
  constructor(where = '') {
    super(`The activations hold NaN or infinite values${where}.`, { fix })
  }
}

/** Throws where one of the values is NaN or infinite. */
export function checkFinite(values: Float32Array): void {
  if (!values.every(Number.isFinite)) throw new NotFiniteError()
}

/** Rows that are looked through at once. */
const piece = 4096

/**
 * What the work gives. A `NotFiniteError` is told again with the first row of the source that is to blame: its number, its shard and the
 * site. Looking for it reads the source from its beginning, until the signal.
 */
export async function namingRows<T>(
  source: ActivationSource,
  sites: readonly string[],
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof NotFiniteError)) throw error
    throw new NotFiniteError((await firstNotFinite(source, sites, signal)) ?? '')
  }
}

async function firstNotFinite(
  source: ActivationSource,
  sites: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  for (let start = 0; start < source.rows; start += piece) {
    await breathe()
    if (signal.aborted) throw new InterruptedError('Training was interrupted.', { fix: 'Start it again to go on.' })
    const count = Math.min(piece, source.rows - start)
    for (const site of sites) {
      const { width } = source.sites.find(({ name }) => name === site)!
      const values = await source.readRange(site, start, count)
      const at = values.findIndex(value => !Number.isFinite(value))
      if (at < 0) continue
      const row = start + Math.floor(at / width)
      return `: ${values[at]} at ${site} in ${source.placeOf?.(row) ?? `row ${row}`}`
    }
  }
  return undefined
}
