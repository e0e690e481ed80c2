/**
 * A world of known features, after SynthSAEBench (Chanin and Garriga-Alonso 2026, arXiv:2602.14687). Feature i = 0, 1, …
 *
 *   rate       p_i = p_min + (p_max − p_min) (r_i − r_last) / (r_0 − r_last),  r_i = (i + 1)^−exponent
 *   trees      `roots` trees, filled level by level with the features in order, `branching` children a parent
 *   asked of   q_i = p_i of roots and features outside trees;
 *              q_i = p_i / p_parent · (1 + Σ other siblings' p / p_parent) of children, at most 1: a child needs its
 *              parent and yields to siblings, and this is what makes up for it (roughly, where q_i is large)
 *   factors    F_i ~ correlation · N(0, 1)^rank, shortened where ‖F_i‖² > 0.99;  P(noise and factors fire i) = q_i
 *   sizes      mean linear in i from firstMean to lastMean; deviation |N(deviationMean, deviationSpread)|
 *   bias       a random direction of the given norm
 *
 * How samples are drawn from it is in `engine/ops/truth/sample.ts`.
 */
import { Random } from '../../core/random.ts'
import { cutAt, type SampleTables, tailTable } from '../../engine/ops/truth/tables.ts'
import { checkWorld, nestedFeatures, type WorldConfig } from './config.ts'
import { orthogonalise, randomRows } from './dictionary.ts'

/** Variance that is left to a feature's own noise at least. */
const leastNoise = 0.01

export interface World {
  readonly config: WorldConfig
  readonly tables: SampleTables
  /** p_i; [features]. */
  readonly rates: Float64Array
  /** Parent of each feature, −1 where it has none; [features]. */
  readonly parents: Int32Array
}

/** The directions and the bias of a world: what takes time to make. */
export interface Dictionary {
  readonly directions: Float32Array
  readonly bias: Float32Array
}

/** Directions and bias from a seed; `onStep` is told of every step that makes the directions less parallel. */
export async function makeDictionary(
  config: WorldConfig,
  seed: number,
  onStep?: (done: number) => Promise<void>,
): Promise<Dictionary> {
  checkWorld(config)
  const { features, width, orthogonalSteps: steps, orthogonalRate: rate } = config
  const rows = randomRows(features, width, new Random(seed, 'truth', 'directions'))
  const directions = await orthogonalise(rows, width, { steps, rate, ...(onStep ? { onStep } : {}) })
  const bias = randomRows(1, width, new Random(seed, 'truth', 'bias')).map(value => value * config.bias)
  return { directions, bias }
}

/** The world of a config and a seed around a dictionary. */
export function makeWorld(config: WorldConfig, seed: number, { directions, bias }: Dictionary): World {
  checkWorld(config)
  const { features, width, rank, roots, branching } = config
  const nested = nestedFeatures(config)
  const rates = firingRates(config)
  const { parents, firstChild } = trees(config, nested)
  const asked = compensatedRates(rates, parents, firstChild, nested, branching)

  const tail = tailTable()
  const factor = new Random(seed, 'truth', 'factors').normals(features * rank, config.correlation)
  const cut = new Float32Array(features)
  for (let i = 0; i < features; i++) {
    const own = factor.subarray(i * rank, (i + 1) * rank)
    let square = own.reduce((sum, value) => sum + value * value, 0)
    const shorten = square > 1 - leastNoise ? Math.sqrt((1 - leastNoise) / square) : 1
    square *= shorten * shorten
    const noise = Math.sqrt(1 - square)
    for (let k = 0; k < rank; k++) own[k]! *= shorten / noise
    cut[i] = cutAt(tail, asked[i]!) / noise
  }
  const random = new Random(seed, 'truth', 'deviations')
  const deviation = Float32Array.from({ length: features }, () =>
    Math.abs(config.deviationMean + config.deviationSpread * random.normal()),
  )
  const mean = Float32Array.from(
    { length: features },
    (_, i) => config.firstMean + ((config.lastMean - config.firstMean) * i) / (features - 1),
  )
  const sizes = { width, features, rank, roots, nested, branching }
  const tables = { ...sizes, directions, bias, factor, cut, mean, deviation, firstChild }
  return { config, tables, rates, parents }
}

/** p_i of every feature. */
export function firingRates({ features, exponent, largestRate, smallestRate }: WorldConfig): Float64Array {
  const last = features ** -exponent
  return Float64Array.from(
    { length: features },
    (_, i) => smallestRate + ((largestRate - smallestRate) * ((i + 1) ** -exponent - last)) / (1 - last),
  )
}

/** Who is whose child: trees are filled level by level, in the order of the features. */
function trees({ features, roots, branching, depth }: WorldConfig, nested: number) {
  const parents = new Int32Array(features).fill(-1)
  const firstChild = new Int32Array(features).fill(-1)
  let start = 0
  let size = roots
  let next = roots
  for (let level = 0; level < depth; level++) {
    for (let parent = start; parent < start + size && next < nested; parent++) {
      firstChild[parent] = next
      const end = Math.min(nested, next + branching)
      for (; next < end; next++) parents[next] = parent
    }
    start += size
    size *= branching
  }
  return { parents, firstChild }
}

/** q_i: the rate a child is given so that it fires at p_i in spite of its parent and its siblings. */
function compensatedRates(
  rates: Float64Array,
  parents: Int32Array,
  firstChild: Int32Array,
  nested: number,
  branching: number,
): Float64Array {
  return rates.map((rate, i) => {
    const parent = parents[i]!
    if (parent < 0) return rate
    const start = firstChild[parent]!
    let others = 0
    for (let j = start; j < Math.min(nested, start + branching); j++) if (j !== i) others += rates[j]!
    return Math.min(1, (rate / rates[parent]!) * (1 + others / rates[parent]!))
  })
}
