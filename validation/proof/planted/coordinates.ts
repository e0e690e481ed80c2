/**
 * A world of coordinates (latents/planted.fixture.ts), c standing for one of six concepts:
 *
 *   c        1 at cues of c; read as answers of c for the first three, read by nothing for the others
 *   6 + c    at rest in all text, and read as answers of c
 *
 * and where truths ask for halves, also
 *
 *   12       4 at cues of documents of the half `odd`, which are other tokens than those of `even`
 *   13 + c   1 at cues of c for the last three; read as answers of c, and a tenth of it the other way where 12 is 4
 *
 * The rest are noise, as all coordinates are a little, and no token's noise is another's.
 */
import { Random } from '../../../core/random.ts'
import type { HeldDataset, TokenDataset } from '../../../datasets/document.ts'
import { type Tensor2D, tf } from '../../../engine/tf.ts'
import { conceptCount, conceptOf, fakeDataset } from '../../../latents/fake.fixture.ts'
import { answerLogits, plantedModel } from '../../../latents/planted.fixture.ts'
import type { Model } from '../../../model/model.ts'
import { makeSae } from '../../../sae/make.ts'
import type { Sae } from '../../../sae/sae.ts'
import { randomUnits } from '../../claims/tied.ts'
import type { Truth } from './truth.ts'

/** Concepts whose cues are read, and those whose cues are not. */
export const usedConcepts = [0, 1, 2]
export const unreadConcepts = [3, 4, 5]

/** The coordinate that tells cues of c, and the one that is at rest and read. */
export const telling = (c: number) => c
export const atRest = (c: number) => conceptCount + c

/** The coordinate that tells in which half of the documents a cue stands, and the one whose reading turns with it. */
const odd = 2 * conceptCount
const turnedAt = 4
export const turning = (c: number) => odd + 1 + c

const width = 40
/** Latents on chance directions, which foreign controls are drawn from. */
const chance = 140
const threshold = 0.1
const documents = 240

export interface Coordinates {
  readonly model: Model
  readonly sae: Sae
  readonly dataset: TokenDataset
  /** Labels that only context tells: whether a cue stands in the second half of its document. */
  readonly contextual: TokenDataset
  dispose(): void
}

/** The world with the latents of these truths, all with halves or none: truth by truth, in the order of their concepts. */
export function coordinates(truths: readonly Truth[]): Coordinates {
  const halves = truths.some(({ halves }) => halves)
  const noise = (key: string | number, scale: number) => new Random('coordinates', key).normals(width, scale)
  const model = plantedModel(
    width,
    token => {
      const c = conceptOf(token)
      const values = [...noise(token, 0.02)]
      const raise = (coordinate: number, by: number) => {
        values[coordinate]! += by
      }
      if (c >= 0) raise(telling(c), 1)
      if (halves && unreadConcepts.includes(c)) raise(turning(c), 1)
      if (halves && isOddCue(token)) raise(odd, turnedAt)
      return values
    },
    x => {
      const isRead = tf.tensor1d(Array.from({ length: conceptCount }, (_, c) => (usedConcepts.includes(c) ? 1 : 0)))
      const told = x.slice([0, 0], [-1, conceptCount]).mul(isRead)
      const read = told.add(x.slice([0, atRest(0)], [-1, conceptCount]))
      const turn = tf.sub(1, tf.mul(x.slice([0, odd], [-1, 1]), 1.1 / turnedAt))
      const turned = halves ? x.slice([0, turning(0)], [-1, conceptCount]).mul(turn) : 0
      return answerLogits(read.add(turned).mul(3) as Tensor2D)
    },
  )
  const planted = truths.flatMap(truth => truth.concepts.map(c => truth.latent(c)))
  const others = randomUnits(chance, width, new Random('coordinates', 'chance'))
  const rows = (pick: (latent: ReturnType<Truth['latent']>) => Readonly<Record<number, number>>) => {
    const values = new Float32Array((planted.length + chance) * width)
    planted.forEach((latent, i) => {
      for (const [coordinate, value] of Object.entries(pick(latent))) values[i * width + Number(coordinate)] = value
    })
    values.set(others, planted.length * width)
    return tf.tensor2d(values, [planted.length + chance, width])
  }
  const reading = rows(({ read }) => ({ [read]: 1 }))
  const sae = makeSae({
    architecture: 'standard',
    config: { apply_b_dec_to_input: false, normalize_activations: 'none' },
    metadata: { hook_name: 'blocks.0.hook_resid_post' },
    params: {
      W_enc: tf.transpose(reading),
      W_dec: rows(({ write }) => write),
      b_enc: tf.fill([planted.length + chance], -threshold),
      b_dec: tf.zeros([width]),
    },
    hash: 'coordinates',
  })
  reading.dispose()
  const dataset = halves ? byHalf(fakeDataset(documents)) : fakeDataset(documents)
  return {
    model,
    sae,
    dataset,
    contextual: late(dataset),
    dispose() {
      model.dispose()
      sae.dispose()
    },
  }
}

/** Whether a token is one of the cues that stand in documents of the half `odd` alone: the last two of each concept's four. */
const isOddCue = (token: number) => conceptOf(token) >= 0 && conceptOf(token + 2) < 0

/** The text with cues of their own in documents of either half. */
function byHalf(dataset: HeldDataset): HeldDataset {
  const windows = dataset.windows.map((window, w) => {
    const isOdd = dataset.documents[w]!.strata.half === 'odd'
    const tokens = window.tokens.map(token =>
      conceptOf(token) < 0 || isOddCue(token) === isOdd ? token : token + (isOdd ? 2 : -2),
    )
    return { ...window, tokens }
  })
  return { ...dataset, windows, hash: `${dataset.hash}-by-half` }
}

/** The text with cues labelled in the second half of each document alone. */
function late(dataset: TokenDataset): TokenDataset {
  const documents = dataset.documents.map(document => ({
    ...document,
    tokenConcepts: document.tokenConcepts!.map((concepts, i, all) => (i < all.length / 2 ? [] : concepts)),
  }))
  return { ...dataset, documents, hash: `${dataset.hash}-late` }
}
