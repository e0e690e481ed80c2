/**
 * Random directions that were chosen as a latent was: of as many directions as the SAE has active latents, the one that is
 * k-th best at telling a concept on discovery text. The best of hundreds of random directions is no random direction: it
 * leans towards the concept, and so do the claims that are made of it.
 *
 * Directions are screened by d′ = u·(μ_concept − μ_rest) / √(u Σ u), of which AUROC is nearly a function; of the best few the
 * one with the largest AUROC is taken.
 */
import { Random } from '../../core/random.ts'
import { onHost } from '../../engine/host.ts'
import { tf } from '../../engine/tf.ts'
import { activationsAbove, project, type SiteValues, thresholdsAt } from '../../latents/projections.ts'
import { ascendingOrder } from '../../statistics/order.ts'
import { type ConceptLabels, conceptRows } from './concepts.ts'
import { latentAuroc, rankActivations } from './selectivity.ts'
import { randomUnits, type TiedSource } from './tied.ts'

/** How a latent came to be claimed for a concept. */
export interface Selection {
  /** Place of the concept among the labels'. */
  readonly concept: number
  /** 1 for the latent that tells it best on discovery text. */
  readonly rank: number
  /** Active latents of its SAE. */
  readonly among: number
}

/** Directions that are screened for each control at most: the k-th best of more is taken as the one at the same share. */
const mostScreened = 1024
/** Where the best one counts, AUROC is computed for so many of those that are best by d′. */
const shortlist = 4

/** Directions that were chosen before, on the same values and labels: several questions are asked of them. */
const known = new WeakMap<SiteValues, WeakMap<ConceptLabels, Map<string, Float32Array>>>()

/** Which controls are chosen, and of what density. */
export interface SelectedDraw {
  readonly density: number
  readonly seed: number
  /** Their places among all controls of the latent: each is drawn by its own. */
  readonly round: { readonly start: number; readonly end: number }
}

/** One direction for each control [count, width], chosen like the latent. */
export function selectedDirections(
  source: TiedSource,
  labels: ConceptLabels,
  selection: Selection,
  draw: SelectedDraw,
): Float32Array {
  const byLabels = known.get(source.discovery) ?? new WeakMap<ConceptLabels, Map<string, Float32Array>>()
  known.set(source.discovery, byLabels)
  const own = byLabels.get(labels) ?? new Map<string, Float32Array>()
  byLabels.set(labels, own)
  const key = `${source.value} ${Object.values(selection)} ${draw.density} ${draw.seed} ${draw.round.start} ${draw.round.end}`
  const found = own.get(key) ?? chooseDirections(source, labels, selection, draw)
  own.set(key, found)
  return found
}

function chooseDirections(
  source: TiedSource,
  labels: ConceptLabels,
  { concept, rank, among }: Selection,
  { density, seed, round }: SelectedDraw,
): Float32Array {
  const { discovery, value } = source
  const count = round.end - round.start
  const { width } = discovery
  const rows = conceptRows(labels, concept)
  const screened = Math.min(among, mostScreened)
  const place = Math.min(screened, Math.max(1, Math.round((rank * screened) / among))) - 1
  const kept = place === 0 ? Math.min(shortlist, screened) : 1
  const candidates = new Float32Array(count * kept * width)
  const difference = differenceOf(discovery, rows)
  // −d′, so that the best come first.
  const below = new Float64Array(screened)
  for (let control = 0; control < count; control++) {
    const { drawn, spread } = drawnFor(source, { screened, width, seed, place: round.start + control })
    for (let i = 0; i < screened; i++) below[i] = -dot(drawn, i * width, difference) / spread[i]!
    const order = ascendingOrder(below)
    for (let i = 0; i < kept; i++) {
      const from = order[place + i]! * width
      candidates.set(drawn.subarray(from, from + width), (control * kept + i) * width)
    }
  }
  if (kept === 1) return candidates
  const projections = project(discovery, candidates)
  const ranked = rankActivations(activationsAbove(projections, thresholdsAt(projections, density), value), labels)
  const positives = labels.tokens[concept]!
  const chosen = new Float32Array(count * width)
  for (let control = 0; control < count; control++) {
    let best = control * kept
    let highest = Number.NEGATIVE_INFINITY
    for (let i = control * kept; i < (control + 1) * kept; i++) {
      const auroc = latentAuroc(ranked, i, rows, positives)
      if (auroc > highest) [best, highest] = [i, auroc]
    }
    chosen.set(candidates.subarray(best * width, (best + 1) * width), control * width)
  }
  return chosen
}

/** Σ_j values[from + j] · other[j]. */
function dot(values: Float32Array, from: number, other: Float32Array): number {
  let sum = 0
  for (let j = 0; j < other.length; j++) sum += values[from + j]! * other[j]!
  return sum
}

/** Directions among which the control of a place is chosen, and how far text spreads along each: the same for all latents. */
interface Drawn {
  readonly drawn: Float32Array
  readonly spread: Float32Array
}

/** Directions drawn before, by the windows that they are for: kept, the first ones, while there is room. */
const directionsBefore = new WeakMap<SiteValues['windows'], Map<string, Float32Array>>()
/** Bytes of them that are kept. */
const keptBytes = 2 ** 26
/** Spreads along them of values, whatever their centre. */
const spreadsBefore = new WeakMap<SiteValues['read'], Map<string, Float32Array>>()

function drawnFor(
  { discovery }: TiedSource,
  { screened, width, seed, place }: { screened: number; width: number; seed: number; place: number },
): Drawn {
  const key = `${screened} ${width} ${seed} ${place}`
  const directions = directionsBefore.get(discovery.windows) ?? new Map<string, Float32Array>()
  const spreads = spreadsBefore.get(discovery.read) ?? new Map<string, Float32Array>()
  directionsBefore.set(discovery.windows, directions)
  spreadsBefore.set(discovery.read, spreads)
  const drawn = directions.get(key) ?? randomUnits(screened, width, new Random(seed, 'selected', place))
  if (4 * screened * width * (directions.size + 1) <= keptBytes) directions.set(key, drawn)
  const spread = spreads.get(key) ?? spreadOf(discovery, drawn)
  if (4 * screened * (spreads.size + 1) <= keptBytes) spreads.set(key, spread)
  return { drawn, spread }
}

/** μ_concept − μ_rest [width], for the tokens that carry a concept against all others. */
function differenceOf({ values, tokens, width }: SiteValues, rows: Uint8Array): Float32Array {
  return onHost(() => {
    const x = tf.tensor2d(values, [tokens, width])
    const carries = tf.tensor2d(Float32Array.from(rows), [1, tokens])
    const inside = rows.reduce((sum, row) => sum + row, 0)
    const within = carries.matMul(x)
    const rest = x
      .sum(0, true)
      .sub(within)
      .div(Math.max(1, tokens - inside))
    return within.div(inside).sub(rest).dataSync<'float32'>().slice()
  })
}

/** Σ of the values [width, width], of each of those that directions were drawn for. */
const covariances = new WeakMap<SiteValues['read'], Float32Array>()

/** √(u Σ u) of each direction. */
function spreadOf(site: SiteValues, directions: Float32Array): Float32Array {
  const { values, tokens, width } = site
  return onHost(() => {
    let covariance = covariances.get(site.read)
    if (!covariance) {
      const x = tf.tensor2d(values, [tokens, width])
      const centred = x.sub(x.sum(0, true).div(tokens))
      covariance = centred.matMul(centred, true).div(tokens).dataSync<'float32'>().slice()
      covariances.set(site.read, covariance)
    }
    const u = tf.tensor2d(directions, [directions.length / width, width])
    return u
      .matMul(tf.tensor2d(covariance, [width, width]))
      .mul(u)
      .sum(1)
      .sqrt()
      .dataSync<'float32'>()
      .slice()
  })
}
