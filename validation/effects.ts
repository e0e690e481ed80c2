/** Rows of effects in columns, a tenth of the memory that rows take, for keeping many latents' rows and writing them. */
import type { EffectRow } from './rows.ts'

type Label = Pick<EffectRow, 'intervention' | 'dose' | 'control'>
type Place = Pick<EffectRow, 'document' | 'window'>

/** Rows without their latent, as a working file has them: what few rows have of their own as lists, the rest by place in them. */
export interface PackedEffects {
  readonly labels: readonly Label[]
  readonly places: readonly Place[]
  readonly label: ArrayLike<number>
  readonly place: ArrayLike<number>
  /** −1 where there is none. */
  readonly controlId: ArrayLike<number>
  readonly positions: ArrayLike<number>
  readonly norm: ArrayLike<number>
  readonly target: ArrayLike<number>
  readonly loss: ArrayLike<number | null>
  readonly kl: ArrayLike<number | null>
}

/** Rows in columns. */
export function packEffects(rows: readonly Omit<EffectRow, 'feature'>[]): PackedEffects {
  const labels = new Map<string, number>()
  const places = new Map<string, number>()
  const firstLabels: Label[] = []
  const firstPlaces: Place[] = []
  const numberOf = <T>(known: Map<string, number>, list: T[], value: T) => {
    const key = JSON.stringify(value)
    const found = known.get(key) ?? list.push(value) - 1
    known.set(key, found)
    return found
  }
  return {
    label: rows.map(({ intervention, dose, control }) =>
      numberOf(labels, firstLabels, { intervention, dose, control }),
    ),
    place: rows.map(({ document, window }) => numberOf(places, firstPlaces, { document, window })),
    labels: firstLabels,
    places: firstPlaces,
    controlId: rows.map(({ controlId }) => controlId ?? -1),
    positions: rows.map(({ positions }) => positions),
    norm: rows.map(({ norm }) => norm),
    target: rows.map(({ target }) => target),
    loss: rows.map(({ loss }) => loss),
    kl: rows.map(({ kl }) => kl),
  }
}

/** The same columns in typed arrays, where a missing value is NaN. */
export function compactEffects(packed: PackedEffects): PackedEffects {
  const missing = (values: ArrayLike<number | null>) => Float64Array.from(values, value => value ?? Number.NaN)
  return {
    labels: packed.labels,
    places: packed.places,
    label: Uint16Array.from(packed.label),
    place: Uint32Array.from(packed.place),
    controlId: Int32Array.from(packed.controlId),
    positions: Uint32Array.from(packed.positions),
    norm: Float64Array.from(packed.norm),
    target: Float64Array.from(packed.target),
    loss: missing(packed.loss),
    kl: missing(packed.kl),
  }
}

/** Rows again, of a latent. */
export function unpackEffects(feature: number, packed: PackedEffects): EffectRow[] {
  const present = (value: number | null) => (value === null || Number.isNaN(value) ? null : value)
  return Array.from({ length: packed.label.length }, (_, i) => {
    const { intervention, dose, control } = packed.labels[packed.label[i]!]!
    const { document, window } = packed.places[packed.place[i]!]!
    const id = packed.controlId[i]!
    return {
      feature,
      intervention,
      dose,
      control,
      controlId: id < 0 ? null : id,
      document,
      window,
      positions: packed.positions[i]!,
      norm: packed.norm[i]!,
      target: packed.target[i]!,
      loss: present(packed.loss[i]!),
      kl: present(packed.kl[i]!),
    }
  })
}

/** Effects of latents in columns; rows are made when they are asked for. */
export class Effects implements Iterable<EffectRow> {
  private readonly parts = new Map<number, PackedEffects[]>()

  /** Adds rows of a latent, behind those that it has. */
  add(feature: number, packed: PackedEffects): void {
    const own = this.parts.get(feature)
    if (own) own.push(packed)
    else this.parts.set(feature, [packed])
  }

  /** Rows of a latent; none where it has none. */
  of(feature: number): EffectRow[] {
    const rows: EffectRow[] = []
    for (const part of this.parts.get(feature) ?? []) for (const row of unpackEffects(feature, part)) rows.push(row)
    return rows
  }

  /** Where effects were measured: documents and windows, a place as often as there are parts with it. */
  *places(): Generator<Place> {
    for (const parts of this.parts.values()) for (const { places } of parts) yield* places
  }

  *[Symbol.iterator](): Generator<EffectRow> {
    for (const feature of this.parts.keys()) yield* this.of(feature)
  }
}
