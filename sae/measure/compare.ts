/**
 * Which latents of one SAE are in another: decoder rows matched one to one by their cosine.
 *
 *   mcc      mean |cosine| over the best one-to-one matching (Hungarian)
 *   shared   share of latents whose match has |cosine| of at least `threshold`
 *   null     the same share when the coordinates of B's rows are permuted: what matching alone finds in rows of that shape
 *
 * The matching is exact for up to 16,384 latents. Beyond, it is an auction among the 32 nearest of each latent, and
 * `mccBound` says how large the mean could be at most (assignment.ts). A decoder row of zeros has no direction: it is matched
 * with none and counts as a cosine of 0.
 */
import { InterruptedError, UserError } from '../../core/errors.ts'
import { Random } from '../../core/random.ts'
import { breathe } from '../../core/stage.ts'
import { hostValues } from '../../engine/host.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import type { Sae } from '../sae.ts'
import type { Pieces } from './assignment.ts'
import { exactLatents, matchRows, zeroRows } from './matching.ts'

export interface Comparison {
  readonly mcc: number
  /** No one-to-one matching has a larger mean; `mcc` itself where the matching is exact. */
  readonly mccBound: number
  readonly shared: number
  readonly threshold: number
  /** Shares found in permuted rows, one a draw. */
  readonly null: readonly number[]
  /** Share of draws, the real one counted in, that share at least as much; null without draws. */
  readonly p: number | null
  readonly exact: boolean
  /** Decoder rows of A and of B that are 0 throughout. */
  readonly zeroRows: readonly [number, number]
  /** For each latent of A: its match in B (−1 where it has none) and their |cosine|. */
  readonly match: Int32Array
  readonly stability: Float32Array
}

export interface CompareOptions {
  readonly threshold?: number
  /** Permutations of the null. */
  readonly draws?: number
  readonly seed?: number
  /** Latents up to which the matching is exact; default 16,384. */
  readonly exactUpTo?: number
  /** Where it is aborted, the comparison ends with an `InterruptedError`. */
  readonly signal?: AbortSignal
}

/** Where two SAEs write, and what a reader of their comparison has to know. */
export interface Places {
  /** Site that each predicts, and its model; null where that is not known. */
  readonly sites: readonly [string | null, string | null]
  readonly models: readonly [string | null, string | null]
  /** Sentences: one where sites differ, one where models do. */
  readonly notices: readonly string[]
}

/** What is known of the places of two SAEs. Equal directions mean the same only at one site of one model. */
export function placesOf(a: Pick<Sae, 'metadata'>, b: Pick<Sae, 'metadata'>): Places {
  const sites = [siteOf(a), siteOf(b)] as const
  const models = [textOf(a.metadata.model_name), textOf(b.metadata.model_name)] as const
  const differ = ([first, second]: readonly (string | null)[], what: string, why: string) =>
    first === second
      ? []
      : [`The SAEs are of different ${what}, ${first ?? 'unknown'} and ${second ?? 'unknown'}: ${why}`]
  return {
    sites,
    models,
    notices: [
      ...differ(sites, 'sites', 'a direction of one need not mean the same at the other.'),
      ...differ(
        models,
        'models',
        'coordinates of one mean nothing in the other, and cosines of matches are of chance.',
      ),
    ],
  }
}

function siteOf({ metadata }: Pick<Sae, 'metadata'>): string | null {
  const site = textOf(metadata.hook_name_out) ?? textOf(metadata.hook_name)
  const head = metadata.hook_head_index
  return site !== null && typeof head === 'number' ? `${site}, head ${head}` : site
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

/** Compares the decoders of two SAEs of equal output width. */
export async function compareSaes(a: Sae, b: Sae, options: CompareOptions = {}): Promise<Comparison> {
  if (a.outputs !== b.outputs)
    throw new UserError(`The SAEs write to different widths: ${a.outputs} and ${b.outputs}.`, {
      fix: 'Compare SAEs of one site.',
    })
  const rows: Tensor2D[] = []
  try {
    for (const sae of [a, b]) rows.push(sae.decoder())
    return await compareRows(rows[0]!, rows[1]!, options)
  } finally {
    tf.dispose(rows)
  }
}

/** Compares two sets of directions [latents, width]; a `UserError` where one of them holds a number that is not finite. */
export async function compareRows(
  a: Tensor2D,
  b: Tensor2D,
  { threshold = 0.7, draws = 19, seed = 0, exactUpTo = exactLatents, signal }: CompareOptions = {},
): Promise<Comparison> {
  requireFinite(a, 'first')
  requireFinite(b, 'second')
  const real = await inPieces(matchRows(a, b, exactUpTo), signal)
  const share = (found: { stability: Float32Array }) =>
    found.stability.reduce((count, value) => count + (value >= threshold ? 1 : 0), 0) / found.stability.length
  const shared = share(real)
  const random = new Random(seed, 'compare')
  const nulls: number[] = []
  for (let draw = 0; draw < draws; draw++) {
    const order = random.shuffle(Int32Array.from({ length: b.shape[1] }, (_, i) => i))
    const permuted = tf.tidy(() => tf.gather(b, tf.tensor1d(order, 'int32'), 1))
    try {
      nulls.push(share(await inPieces(matchRows(a, permuted, exactUpTo), signal)))
    } finally {
      permuted.dispose()
    }
  }
  const pairs = Math.min(a.shape[0], b.shape[0])
  const mcc = real.stability.reduce((sum, value) => sum + value, 0) / pairs
  return {
    mcc,
    mccBound: real.upper === undefined ? mcc : Math.min(1, Math.max(mcc, real.upper / pairs)),
    shared,
    threshold,
    null: nulls,
    p: draws === 0 ? null : (1 + nulls.filter(value => value >= shared).length) / (1 + draws),
    exact: real.upper === undefined,
    zeroRows: [zeroRows(a).length, zeroRows(b).length],
    match: real.match,
    stability: real.stability,
  }
}

/** Refuses directions that are none: nothing is nearer to NaN than anything else. */
function requireFinite(rows: Tensor2D, which: string): void {
  const sums = hostValues(() => rows.abs().max(1))
  const wrong = [...sums.keys()].filter(row => !Number.isFinite(sums[row]))
  if (wrong.length === 0) return
  throw new UserError(
    `The decoder row of latent ${wrong[0]} of the ${which} SAE is not finite${wrong.length > 1 ? `, nor are those of ${wrong.length - 1} more` : ''}.`,
    { fix: 'Compare SAEs whose training did not diverge.' },
  )
}

/** Milliseconds of work between looks at signals. */
const pause = 100

/** Does work in pieces and lets signals in between them. */
async function inPieces<T>(pieces: Pieces<T>, signal: AbortSignal | undefined): Promise<T> {
  let last = Number.NEGATIVE_INFINITY
  for (;;) {
    const piece = pieces.next()
    if (piece.done) return piece.value
    if (performance.now() - last < pause) continue
    await breathe()
    last = performance.now()
    if (!signal?.aborted) continue
    // Frees the tensors that the work holds.
    pieces.return(undefined as never)
    throw new InterruptedError('The comparison was interrupted.', { fix: 'Start the same command again.' })
  }
}
