/** The forward passes of one shard: windows of similar length together, the taken rows of every site out of each pass. */
import { UserError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import { breathe } from '../core/stage.ts'
import { batchOf, groupByLength, type WindowBatch } from '../datasets/batches.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { type Tensor, type Tensor2D, tf } from '../engine/tf.ts'
import type { Hook, Model } from '../model/model.ts'
import type { ShardPlan } from './sampling.ts'
import { type Moments, mergeMoments, momentsOf } from './statistics.ts'

/** A site to capture and the length of its rows. */
export interface CapturedSite {
  readonly name: string
  readonly width: number
}

/** The sites by name with the length of their rows; heads of a token lie side by side. */
export function findSites(model: Model, names: readonly string[]): CapturedSite[] {
  return names.map((name, i) => {
    const site = model.sites.find(known => known.name === name)
    if (!site) {
      const near = nearest(
        name,
        model.sites.map(known => known.name),
        3,
      )
      throw new UserError(`The model ${model.path} has no site ${name}.`, { fix: `Did you mean ${near.join(' or ')}?` })
    }
    if (site.axes[1] !== 'position')
      throw new UserError(`The site ${name} has no value for each token (its axes are ${site.axes.join(', ')}).`, {
        fix: 'Capture a site of the residual stream, an attention or MLP output, or heads by position.',
      })
    if (names.indexOf(name) < i) throw new UserError(`sites names ${name} twice.`, { fix: 'Name it once.' })
    return { name, width: site.size.reduce((product, size) => product * size, 1) }
  })
}

/** What the passes of a shard gave. */
export interface ComputedShard {
  /** Each site's rows [plan.rows, width] by windows and positions. */
  readonly values: readonly Float32Array[]
  /** Which tokens these rows are of. */
  readonly rows: ShardRows
  /** Each site's moments over all tokens of `plan.population`; null where the plan has none. */
  readonly population: readonly Moments[] | null
}

/** Of each row of a shard: index of its window, position, token and stratum. */
export interface ShardRows {
  readonly document: Uint32Array
  readonly position: Uint16Array
  readonly token: Int32Array
  readonly stratum: Uint16Array
}

export interface ForwardOptions {
  /** Tokens of a pass at most. */
  readonly batchTokens: number
  /** Called after each pass with the number of its tokens, and with 0 before the first; may throw to stop. */
  onTokens(count: number): void
  /** Takes each site's rows: arrays of this length or longer; default: new ones. */
  readonly into?: readonly Float32Array[] | undefined
}

/**
 * Runs the shard's windows, which are read when their pass comes: what is held of them beside the rows' columns is 24 bytes each.
 */
export async function captureShard(
  model: Model,
  sites: readonly CapturedSite[],
  plan: ShardPlan,
  { batchTokens, onTokens, into }: ForwardOptions,
): Promise<ComputedShard> {
  const room = into ?? sites.map(({ width }) => new Float32Array(plan.rows * width))
  const out = sites.map(({ width }, i) => room[i]!.subarray(0, plan.rows * width))
  const population: Moments[] = []
  // By the window's place: the positions taken, and the row of the first.
  const placed = new Map<number, { positions: Uint16Array; row: number }>()
  const rows: ShardRows = {
    document: new Uint32Array(plan.rows),
    position: new Uint16Array(plan.rows),
    token: new Int32Array(plan.rows),
    stratum: new Uint16Array(plan.rows),
  }
  const stop = () => onTokens(0)
  let row = 0
  for await (const { place, window, positions, strata } of plan.selected.paced(stop)) {
    placed.set(place, { positions, row })
    rows.position.set(positions, row)
    rows.stratum.set(strata, row)
    rows.document.fill(window.index, row, row + positions.length)
    for (let i = 0; i < positions.length; i++) rows.token[row++] = window.tokens[positions[i]!]!
  }
  const places: number[] = []
  const lengths: number[] = []
  for await (const { place, positions } of (plan.population ?? plan.selected).paced(stop)) {
    places.push(place)
    // Attention is causal: what follows the last token needed need not be computed.
    lengths.push(positions[positions.length - 1]! + 1)
  }
  for (const group of groupByLength(lengths, batchTokens)) {
    const windows: TokenWindow[] = []
    const read: Uint16Array[] = []
    const takenOf = Array.from(group, i => placed.get(places[i]!))
    for (const [at, i] of group.entries()) {
      const window = plan.windowAt(places[i]!)
      windows.push({ ...window, tokens: window.tokens.subarray(0, lengths[i]!) })
      read.push(plan.population?.at(places[i]!) ?? takenOf[at]!.positions)
    }
    const batch = batchOf(windows)
    const indices = new Int32Array(read.reduce((sum, { length }) => sum + length, 0))
    let index = 0
    for (const [i, positions] of read.entries())
      for (let j = 0; j < positions.length; j++) indices[index++] = i * batch.length + positions[j]!
    const values = runBatch(model, sites, batch.tokens, [batch.windows.length, batch.length], indices)
    try {
      for (const [site, { name, width }] of sites.entries()) {
        const data = (await values[name]!.data()) as Float32Array
        let at = 0
        for (const [i, taken] of takenOf.entries()) {
          const own = data.subarray(at, at + read[i]!.length * width)
          if (taken) copyRows(own, read[i]!, taken.positions, out[site]!, taken.row, width)
          at += own.length
        }
        if (plan.population) {
          const own = momentsOf(data, width, new Float32Array(indices.length).fill(1), at => {
            throw new UserError(`An activation at ${name} is not finite ${placeOf(batch, read, at)}.`, {
              fix: 'Check the model (`pipeline model verify`): its weights or its config are likely damaged.',
            })
          })
          population[site] = population[site] ? mergeMoments(population[site], own) : own
        }
      }
    } finally {
      tf.dispose(values)
    }
    onTokens(batch.windows.reduce((sum, { tokens }) => sum + tokens.length, 0))
    // What other threads have done is heard of, and Ctrl-C.
    await breathe()
  }
  return { values: out, rows, population: plan.population ? population : null }
}

/** Copies the rows at `wanted` positions, of rows at `read` positions, both ascending, to `out` from `row` on. */
function copyRows(
  rows: Float32Array,
  read: Uint16Array,
  wanted: Uint16Array,
  out: Float32Array,
  row: number,
  width: number,
): void {
  if (read.length === wanted.length) {
    out.set(rows, row * width)
    return
  }
  let at = 0
  wanted.forEach((position, i) => {
    while (read[at] !== position) at++
    out.set(rows.subarray(at * width, (at + 1) * width), (row + i) * width)
  })
}

function placeOf({ windows }: WindowBatch, read: readonly Uint16Array[], row: number): string {
  let before = 0
  for (const [i, { id }] of windows.entries()) {
    const positions = read[i]!
    if (row < before + positions.length) return `at position ${positions[row - before]} of ${id}`
    before += positions.length
  }
  throw new Error(`A batch of ${before} rows has no row ${row}.`)
}

/** One forward pass, as far as the last of the sites: the rows at `indices` (of all batch × position) by site. */
function runBatch(
  model: Model,
  sites: readonly CapturedSite[],
  tokens: Int32Array,
  shape: [number, number],
  indices: Int32Array,
): Record<string, Tensor> {
  const widths = new Map(sites.map(({ name, width }) => [name, width]))
  const until = model.sites.findLast(({ name }) => widths.has(name))!.name
  const kept: Record<string, Tensor> = {}
  const take = (value: Tensor, name: string): undefined => {
    const flat = value.reshape([shape[0] * shape[1], widths.get(name)!])
    kept[name] = tf.keep(tf.gather(flat, tf.tensor1d(indices, 'int32')))
  }
  const hooks: Record<string, Hook> = {}
  for (const { name } of sites) if (name !== until) hooks[name] = take
  try {
    tf.tidy(() => {
      take(model.run(tf.tensor2d(tokens, shape, 'int32') as Tensor2D, { hooks, until }), until)
    })
  } catch (error) {
    tf.dispose(kept)
    throw error
  }
  return kept
}
