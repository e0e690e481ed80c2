/**
 * A world of coordinates (latents/planted.fixture.ts), c standing for one of six concepts:
 *
 *   c        1 at cues of c; read as answers of c for the first three, read by nothing for the others
 *   6 + c    at rest in all text, and read as answers of c
 *
 * The rest are noise, as all coordinates are a little, and no token's noise is another's.
 */
import { Random } from '../../../core/random.ts'
import type { TokenDataset } from '../../../datasets/document.ts'
import { tf } from '../../../engine/tf.ts'
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

/** The world with the latents of these truths: truth by truth, in the order of their concepts. */
export function coordinates(truths: readonly Truth[]): Coordinates {
  const noise = (key: string | number, scale: number) => new Random('coordinates', key).normals(width, scale)
  const model = plantedModel(
    width,
    token => [...noise(token, 0.02)].map((value, i) => (conceptOf(token) === i ? value + 1 : value)),
    x => {
      const isRead = tf.tensor1d(Array.from({ length: conceptCount }, (_, c) => (usedConcepts.includes(c) ? 1 : 0)))
      const told = x.slice([0, 0], [-1, conceptCount]).mul(isRead)
      return answerLogits(told.add(x.slice([0, atRest(0)], [-1, conceptCount])).mul(3))
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
  const dataset = fakeDataset(documents)
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

/** The text with cues labelled in the second half of each document alone. */
function late(dataset: TokenDataset): TokenDataset {
  const documents = dataset.documents.map(document => ({
    ...document,
    tokenConcepts: document.tokenConcepts!.map((concepts, i, all) => (i < all.length / 2 ? [] : concepts)),
  }))
  return { ...dataset, documents, hash: `${dataset.hash}-late` }
}
