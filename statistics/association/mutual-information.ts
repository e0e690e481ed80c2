/**
 * Mutual information of two discrete variables, plain and given strata, in nats.
 *
 *   I(F; C) = Σ p(f, c)·ln(p(f, c) / (p(f)·p(c))),  I(F; C | S) = Σ p(s)·I(F; C | S = s)
 *
 * The plug-in estimate is too high by about (K_F − 1)(K_C − 1) / (2N) (Miller 1955), K being the values that occur; the
 * corrected one subtracts that, stratum by stratum, and may fall below 0 where there is nothing to find.
 */
import type { Random } from '../../core/random.ts'
import { checkCount, checkParallel } from '../check.ts'

type Discrete = ArrayLike<number | string>

export interface MutualInformation {
  readonly plugIn: number
  readonly corrected: number
}

/** I(F; C); both parallel and not empty. Numbers must be finite. */
export function mutualInformation(f: Discrete, c: Discrete): MutualInformation {
  return conditionalInformation(f, c, new Uint8Array(f.length))
}

/** I(F; C | S). */
export function conditionalInformation(f: Discrete, c: Discrete, strata: Discrete): MutualInformation {
  const codes = [code('f', f), code('c', c), code('strata', strata)] as const
  checkParallel('f', f, 'c', c)
  checkParallel('f', f, 'strata', strata)
  return information(codes[0], codes[1], groups(codes[2]))
}

export interface InformationTest extends MutualInformation {
  /** (1 + #{I* ≥ I}) / (1 + draws), I* with F shuffled within the strata: never 0. */
  readonly p: number
  readonly draws: number
}

/** I(F; C | S) with its permutation p-value; the same stratum everywhere gives the test of I(F; C). */
export function informationTest(
  f: Discrete,
  c: Discrete,
  strata: Discrete,
  random: Random,
  draws = 1000,
): InformationTest {
  checkCount('draws', draws, 1)
  const observed = conditionalInformation(f, c, strata)
  const shuffled = code('f', f)
  const labels = code('c', c)
  const members = groups(code('strata', strata))
  const threshold = observed.plugIn - 1e-12
  let count = 1
  for (let draw = 0; draw < draws; draw++) {
    for (const items of members) {
      for (let i = items.length - 1; i > 0; i--) {
        const a = items[i]!
        const b = items[random.int(i + 1)]!
        const value = shuffled[a]!
        shuffled[a] = shuffled[b]!
        shuffled[b] = value
      }
    }
    if (information(shuffled, labels, members).plugIn >= threshold) count++
  }
  return { ...observed, p: count / (draws + 1), draws }
}

function information(f: Uint32Array, c: Uint32Array, members: readonly Uint32Array[]): MutualInformation {
  let plugIn = 0
  let bias = 0
  for (const items of members) {
    const cells = new Map<number, number>()
    const rows = new Map<number, number>()
    const columns = new Map<number, number>()
    const add = (counts: Map<number, number>, key: number) => counts.set(key, (counts.get(key) ?? 0) + 1)
    for (const i of items) {
      add(cells, f[i]! * 0x100000000 + c[i]!)
      add(rows, f[i]!)
      add(columns, c[i]!)
    }
    for (const [key, count] of cells) {
      const row = rows.get(Math.floor(key / 0x100000000))!
      plugIn += (count / f.length) * Math.log((count * items.length) / (row * columns.get(key % 0x100000000)!))
    }
    // (nₛ / N)·(K_F − 1)(K_C − 1) / (2·nₛ)
    bias += ((rows.size - 1) * (columns.size - 1)) / (2 * f.length)
  }
  return { plugIn, corrected: plugIn - bias }
}

/** Values numbered in the order in which they first appear. */
function code(name: string, values: Discrete): Uint32Array {
  checkCount(`the number of ${name}`, values.length, 1)
  const codes = new Map<number | string, number>()
  return Uint32Array.from(values as ArrayLike<number>, value => {
    if (typeof value === 'number' && !Number.isFinite(value)) checkCount(name, value)
    const found = codes.get(value) ?? codes.size
    codes.set(value, found)
    return found
  })
}

/** The places of each code. */
function groups(codes: Uint32Array): Uint32Array[] {
  const places: number[][] = []
  codes.forEach((value, i) => {
    places[value] = places[value] ?? []
    places[value].push(i)
  })
  return places.map(items => Uint32Array.from(items))
}
