/**
 * Edits of features on one text as a person writes them, and their controls: what each adds to the residual at each position.
 *
 *   ablate: f′ = 0    set: f′ = s·m    scale: f′ = s·f    add: f′ = f + s·m        Δx = Σ (f′ − f)·d over the edits
 *
 * with f what the latent says, d its decoder row, s the strength and m its largest activation. A control adds as much, ‖Δx‖, at
 * the same positions along another direction, and away from x where the edits take away more than they put in.
 */
import { UserError } from '../core/errors.ts'
import { Random } from '../core/random.ts'

/** One edit of a latent. */
export interface PlayEdit {
  readonly latent: number
  readonly kind: 'ablate' | 'set' | 'scale' | 'add'
  /** In multiples of m; of f for `scale`; without a meaning for `ablate`. */
  readonly strength: number
  /** Where it fires, everywhere but at position 0, or at these positions. */
  readonly positions: 'active' | 'all' | readonly number[]
}

/** What an edit changes: f and f′ at each of its positions. */
export interface Changed {
  readonly latent: number
  readonly positions: readonly number[]
  readonly before: readonly number[]
  readonly after: readonly number[]
}

/** What the latents say on the text: by latent, values by position. */
export type Firing = ReadonlyMap<number, ReadonlyMap<number, number>>

/** The changes that an edit makes to a text of `length` tokens; `m` is only asked for where the edit needs it. */
export function changeOf(edit: PlayEdit, firing: Firing, length: number, m: () => number): Changed {
  const own = firing.get(edit.latent) ?? new Map<number, number>()
  const everywhere = Array.from({ length: length - 1 }, (_, i) => i + 1)
  const listed = typeof edit.positions === 'string' ? undefined : [...new Set(edit.positions)].sort((a, b) => a - b)
  const outside = listed?.find(position => position >= length)
  if (outside !== undefined)
    throw new UserError(
      `The edit of latent ${edit.latent} names position ${outside}, and the text has ${length} tokens.`,
      {
        fix: `Positions go from 1 to ${length - 1}.`,
      },
    )
  const positions = listed ?? (edit.positions === 'all' ? everywhere : everywhere.filter(position => own.has(position)))
  const before = positions.map(position => own.get(position) ?? 0)
  const { kind, strength } = edit
  const after = before.map(f => {
    if (kind === 'ablate') return 0
    if (kind === 'scale') return strength * f
    return kind === 'set' ? strength * m() : f + strength * m()
  })
  return { latent: edit.latent, positions, before, after }
}

/** A direction and how much of it is added at each position [length]. */
export interface Added {
  readonly direction: Float32Array
  readonly amount: Float32Array
}

/** Σ (f′ − f)·d of all changes [length · width], in float64. */
export function deltaOfChanges(
  changes: readonly Changed[],
  rowOf: (latent: number) => Float32Array,
  length: number,
  width: number,
): Float64Array {
  const delta = new Float64Array(length * width)
  for (const { latent, positions, before, after } of changes) {
    const row = rowOf(latent)
    positions.forEach((position, i) => {
      const change = after[i]! - before[i]!
      if (change === 0) return
      for (let j = 0; j < width; j++) delta[position * width + j]! += change * row[j]!
    })
  }
  return delta
}

/** ‖Δx‖ at each position, below zero where the edits take away more than they put in: what a control adds. */
export function amountsOf(delta: Float64Array, changes: readonly Changed[], length: number): Float32Array {
  const width = delta.length / length
  const balance = new Float64Array(length)
  for (const { positions, before, after } of changes)
    positions.forEach((position, i) => {
      balance[position]! += after[i]! - before[i]!
    })
  return Float32Array.from({ length }, (_, position) => {
    let square = 0
    for (let j = 0; j < width; j++) square += delta[position * width + j]! ** 2
    return Math.sqrt(square) * (balance[position]! < 0 ? -1 : 1)
  })
}

/** A direction of length 1; undefined where there is none, as all of it is 0. */
export function unit(row: ArrayLike<number>): Float32Array | undefined {
  const length = Math.hypot(...Array.from(row))
  return length > 0 ? Float32Array.from(row, value => value / length) : undefined
}

/** Random directions of length 1; the first ones are the same however many there are. */
export function randomDirections(count: number, width: number, seed: number): Float32Array[] {
  return Array.from({ length: count }, (_, i) => unit(new Random(seed, 'play', 'random', i).normals(width))!)
}

/** Latents that fire on the text and are not edited, drawn without replacement; fewer where there are not as many. */
export function foreignLatents(count: number, firing: Firing, edited: ReadonlySet<number>, seed: number): number[] {
  const others = [...firing.keys()].filter(latent => !edited.has(latent)).sort((a, b) => a - b)
  return new Random(seed, 'play', 'foreign').sample(others, Math.min(count, others.length))
}
