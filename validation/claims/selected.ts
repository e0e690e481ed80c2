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
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { activationsAbove, project, type SiteValues, thresholdsAt } from '../../latents/projections.ts'
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

/** Directions that were chosen before, of each source: several questions are asked of them. */
const known = new WeakMap<TiedSource, Map<string, Float32Array>>()

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
  const own = known.get(source) ?? new Map<string, Float32Array>()
  known.set(source, own)
  const key = `${Object.values(selection)} ${draw.density} ${draw.seed} ${draw.round.start} ${draw.round.end}`
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
  const screen = screenOf(discovery, rows)
  try {
    for (let control = 0; control < count; control++) {
      const drawn = drawnFor(source, { screened, width, seed, place: round.start + control })
      const scores = screen.scores(drawn, screened)
      const order = Uint32Array.from({ length: screened }, (_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b)
      for (let i = 0; i < kept; i++) {
        const from = order[place + i]! * width
        candidates.set(drawn.subarray(from, from + width), (control * kept + i) * width)
      }
    }
  } finally {
    screen.dispose()
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

/** Directions among which the control of a place is chosen, the same for all latents: kept, the first ones, while there is room. */
const drawnBefore = new WeakMap<TiedSource, Map<string, Float32Array>>()
/** Bytes of them that are kept. */
const keptBytes = 2 ** 26

function drawnFor(
  source: TiedSource,
  { screened, width, seed, place }: { screened: number; width: number; seed: number; place: number },
): Float32Array {
  const own = drawnBefore.get(source) ?? new Map<string, Float32Array>()
  drawnBefore.set(source, own)
  const key = `${screened} ${width} ${seed} ${place}`
  const found = own.get(key)
  if (found) return found
  const drawn = randomUnits(screened, width, new Random(seed, 'selected', place))
  if (4 * screened * width * (own.size + 1) <= keptBytes) own.set(key, drawn)
  return drawn
}

/** d′ of directions for the tokens that carry a concept against all others. */
function screenOf({ values, tokens, width }: SiteValues, rows: Uint8Array) {
  const [difference, covariance] = tf.tidy(() => {
    const x = tf.tensor2d(values, [tokens, width])
    const carries = tf.tensor2d(Float32Array.from(rows), [1, tokens])
    const inside = rows.reduce((sum, row) => sum + row, 0)
    const sum = x.sum(0, true) as Tensor2D
    const within = carries.matMul(x) as Tensor2D
    const centred = x.sub(sum.div(tokens))
    return [
      tf.transpose(within.div(inside).sub(sum.sub(within).div(Math.max(1, tokens - inside)))),
      centred.matMul(centred, true).div(tokens),
    ] as [Tensor2D, Tensor2D]
  })
  return {
    scores: (directions: Float32Array, count: number) =>
      onHost(() => {
        const u = tf.tensor2d(directions, [count, width])
        const spread = u.matMul(covariance).mul(u).sum(1).sqrt()
        return u.matMul(difference).reshape([count]).div(spread).dataSync<'float32'>() as Float32Array
      }),
    dispose: () => tf.dispose([difference, covariance]),
  }
}
