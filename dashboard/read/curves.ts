/** Metrics as curves: in each of so many equal parts of x the smallest, largest and last value, so that no spike is lost. */
import { UserError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'

/** A curve in buckets. */
export interface Curve {
  readonly key: string
  /** x of the bucket's last record with the key. */
  readonly x: number[]
  readonly min: number[]
  readonly max: number[]
  readonly last: number[]
  readonly count: number[]
  /** x at which the value is no finite number. */
  readonly missing: number[]
}

export interface CurveOptions {
  readonly keys: readonly string[]
  readonly x: string
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly buckets: number
  /** Width of a bucket; default: the range of x by `buckets`. */
  readonly grid?: number | undefined
}

export interface Curves {
  readonly records: number
  readonly skipped: number
  readonly width: number | null
  readonly curves: readonly Curve[]
  /** x of the records at which x went back: the run went on from a checkpoint. */
  readonly resumed: readonly number[]
}

type Record = Readonly<{ [key: string]: unknown }>

/** Most buckets that a grid may make. */
const mostBuckets = 20_000

/** The curves of records, in their order. A `UserError` for a key that no record has, or a grid that is too fine. */
export function curvesOf(records: readonly Record[], options: CurveOptions): Curves {
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = options
  const placed = records.filter(record => typeof record[options.x] === 'number')
  const shown = placed.filter(record => (record[options.x] as number) >= from && (record[options.x] as number) <= to)
  const keys = options.keys.length > 0 ? options.keys : numbersIn(placed, options.x)
  for (const key of keys)
    if (records.length > 0 && !records.some(record => key in record))
      throw new UserError(`No record has a metric ${JSON.stringify(key)}.`, {
        fix: `Did you mean ${nearest(key, numbersIn(placed, ''), 3).join(', ')}?`,
      })
  const xs = shown.map(record => record[options.x] as number)
  const least = xs.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const most = xs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const width = options.grid ?? (shown.length > 0 ? (most - least) / options.buckets || 1 : null)
  if (width !== null && (most - least) / width > mostBuckets)
    throw new UserError(`A grid of ${width} makes more than ${mostBuckets} buckets.`, { fix: 'Give a wider one.' })
  // On a grid of their own, curves of several runs have the same edges; else the first bucket begins at the first x.
  const start = options.grid === undefined ? least : 0
  const bucketOf = (x: number) =>
    Math.floor((x - start) / (width ?? 1) + (x === most && options.grid === undefined ? -1e-9 : 0))
  const resumed = xs.filter((x, i) => i > 0 && x < xs[i - 1]!)
  return {
    records: records.length,
    skipped: records.length - placed.length,
    width,
    curves: keys.map(key => curveOf(key, shown, xs, bucketOf)),
    resumed,
  }
}

function curveOf(
  key: string,
  records: readonly Record[],
  xs: readonly number[],
  bucketOf: (x: number) => number,
): Curve {
  const buckets = new Map<number, { x: number; min: number; max: number; last: number; count: number }>()
  const missing: number[] = []
  records.forEach((record, i) => {
    if (!(key in record)) return
    const value = record[key]
    const x = xs[i]!
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      missing.push(x)
      return
    }
    const at = bucketOf(x)
    const found = buckets.get(at)
    if (!found) buckets.set(at, { x, min: value, max: value, last: value, count: 1 })
    else {
      found.min = Math.min(found.min, value)
      found.max = Math.max(found.max, value)
      Object.assign(found, { x, last: value })
      found.count++
    }
  })
  const ordered = [...buckets].sort(([a], [b]) => a - b).map(([, bucket]) => bucket)
  const column = (name: 'x' | 'min' | 'max' | 'last' | 'count') => ordered.map(bucket => bucket[name])
  return {
    key,
    x: column('x'),
    min: column('min'),
    max: column('max'),
    last: column('last'),
    count: column('count'),
    missing,
  }
}

/** Every key under which some record has a number, but one. */
function numbersIn(records: readonly Record[], but: string): string[] {
  const keys = new Set<string>()
  for (const record of records)
    for (const [key, value] of Object.entries(record)) if (typeof value === 'number' && key !== but) keys.add(key)
  return [...keys]
}
