/**
 * RAVEL (Huang et al. 2024, arXiv:2402.17700; SAEBench): whether latents hold apart what a model knows of an entity. At the entity's
 * last token those latents that a mask takes are set to what they are for another entity; the rest, and what the SAE does not
 * explain, stay. The mask of an attribute should make the model give the other entity's attribute (cause), and leave its answers
 * about all others (isolation).
 *
 *   x ← x + Σ_i m_i (f_i(other) − f_i(own)) d_i
 *
 * Masks are learned on pairs of entities as in multi-task differential binary masking: m = σ(θ / T) with T falling, the loss the
 * cross entropy of both kinds of answer, Adam; tested are masks of θ > 0 on entities that were not learned on. SAEBench leaves the
 * SAE's error out; here it stays, so that what is measured is the latents alone.
 */
import { Random } from '../../core/random.ts'
import { onHost } from '../../engine/host.ts'
import { type Tensor1D, type Tensor2D, type Tensor3D, tf } from '../../engine/tf.ts'
import { adding } from '../../latents/interventions.ts'
import type { Model } from '../../model/model.ts'
import type { Sae } from '../../sae/sae.ts'
import { denseRows } from '../../sae/sparse.ts'
import { mean } from '../../statistics/descriptive.ts'
import { smallestReliableDifference } from '../../statistics/intervals/reliable-difference.ts'
import type { RavelFound } from '../contracts/measures.ts'
import type { EntityPrompt } from './entity-prompts.ts'
import { fewestEntities, type Known, knownEntities, rightAnswers } from './known-entities.ts'
import type { MeasureRow } from './measure.ts'

export type RavelRow = {
  readonly repeat: number
  readonly attribute: string
  /** What is changed: the latents of the mask, all of them, or the value at the site. */
  readonly changed: 'latents' | 'all' | 'values'
  readonly latents: number
  readonly entities: number
  /** Pairs, and those in which the answer becomes the other's. */
  readonly pairs: number
  readonly caused: number
  /** Answers about other attributes, and those that stay. */
  readonly others: number
  readonly kept: number
} & MeasureRow

/** Steps of Adam, pairs a step, and pairs that are tested of each attribute. */
const steps = 80
const stepPairs = 24
const testPairs = 100
const learningRate = 0.1
/** Temperatures of the mask at the first and last step. */
const temperatures = [1, 0.05] as const
const trainShare = 0.7

/** Rows of every attribute and repetition; none where the model knows too few entities. */
export async function ravelRows(
  { model, sae, repeats, seed, pause, note }: RavelBench,
  prompts: readonly EntityPrompt[],
): Promise<RavelRow[]> {
  const known = knownEntities(model, prompts)
  if (known.entities.length < fewestEntities || known.attributes.length < 2) {
    note(tooFew(known, prompts))
    return []
  }
  const states = statesOf(model, sae, known)
  const rows: RavelRow[] = []
  try {
    for (let repeat = 0; repeat < repeats; repeat++) {
      const random = new Random(seed, 'ravel', repeat)
      const order = random.shuffle([...known.entities.keys()])
      const cut = Math.max(2, Math.floor(trainShare * order.length))
      const [train, test] = [order.slice(0, cut), order.slice(cut)]
      if (test.length < 2) return []
      for (const [a, attribute] of known.attributes.entries()) {
        const pairs = pairsOf(known, a, test, random).slice(0, testPairs)
        if (pairs.length === 0) continue
        const mask = learnMask(model, sae, known, states, a, pairsOf(known, a, train, random), random)
        const all = new Float32Array(mask.length).fill(1)
        for (const [changed, by] of [
          ['latents', mask],
          ['all', all],
          ['values', null],
        ] as const) {
          const latents = by === null ? 0 : by.reduce((sum, m) => sum + m, 0)
          const counts = countAnswers(model, sae, known, states, a, pairs, by)
          rows.push({ repeat, attribute, changed, latents, entities: known.entities.length, ...counts })
          await pause()
        }
      }
    }
  } finally {
    tf.dispose([states.latents, states.decoder])
  }
  return rows
}

export interface RavelBench {
  readonly model: Model
  readonly sae: Sae
  readonly repeats: number
  readonly seed: number
  pause(): Promise<void>
  /** Says why there is nothing to measure. */
  note(text: string): void
}

/** How far the model is from what the measure needs. */
function tooFew({ attributes, entities }: Known, prompts: readonly EntityPrompt[]): string {
  const [asked, about] = (['attribute', 'entity'] as const).map(key => new Set(prompts.map(prompt => prompt[key])).size)
  const given = attributes.length === 0 ? 'none' : `${attributes.length} (${attributes.join(', ')})`
  return `RAVEL: of ${asked} attributes of ${about} entities the model gives ${given} for ${fewestEntities} entities or more, and all of these for ${entities.length}; two attributes and ${fewestEntities} entities are needed.`
}

/** What rows say; null where there are none. */
export function judgeRavel(rows: readonly RavelRow[]): RavelFound | null {
  if (rows.length === 0) return null
  const sharesOf = (of: readonly RavelRow[]) => {
    const cause = mean(of.map(({ caused, pairs }) => caused / pairs))
    const isolation = mean(of.map(({ kept, others }) => kept / others))
    return { cause, isolation, score: (cause + isolation) / 2 }
  }
  const by = (changed: RavelRow['changed']) => rows.filter(row => row.changed === changed)
  const own = by('latents')
  const repeats = [...new Set(own.map(({ repeat }) => repeat))]
  const each = repeats.map(repeat => sharesOf(own.filter(row => row.repeat === repeat)))
  const summary = (name: 'cause' | 'isolation' | 'score') => {
    const values = each.map(found => found[name])
    const overlap = (1 - trainShare) / trainShare
    return { mean: mean(values), smallestReliableDifference: smallestReliableDifference(values, { overlap }) }
  }
  return {
    repeats: repeats.length,
    entities: rows[0]!.entities,
    ...{ cause: summary('cause'), isolation: summary('isolation'), score: summary('score') },
    attributes: [...new Set(own.map(({ attribute }) => attribute))].map(attribute => {
      const of = own.filter(row => row.attribute === attribute)
      return { attribute, latents: mean(of.map(({ latents }) => latents)), ...sharesOf(of) }
    }),
    all: sharesOf(by('all')),
    values: sharesOf(by('values')),
  }
}

/** What the SAE and the site say at each prompt's entity: rows are attribute · entities + entity. */
interface States {
  /** [prompts, active] and decoder rows [active, width] of the latents that any prompt has. */
  readonly latents: Tensor2D
  readonly decoder: Tensor2D
  /** [prompts, width]. */
  readonly values: Float32Array
}

function statesOf(model: Model, sae: Sae, { attributes, entities, promptOf }: Known): States {
  const prompts = attributes.flatMap((_, a) => entities.map((_entity, e) => promptOf(a, e)))
  const values = new Float32Array(prompts.length * sae.width)
  prompts.forEach(({ tokens, position }, i) => {
    const row = onHost(() => {
      const found = model.run(tf.tensor2d(tokens, [1, tokens.length], 'int32'), { until: sae.metadata.hook_name })
      return found
        .reshape([tokens.length, sae.width])
        .slice([position, 0], [1, -1])
        .dataSync<'float32'>() as Float32Array
    })
    values.set(row, i * sae.width)
  })
  return tf.tidy(() => {
    const dense = denseRows(sae.encode(tf.tensor2d(values, [prompts.length, sae.width])))
    const active = Array.from(dense.abs().max(0).dataSync<'float32'>()).flatMap((most, i) => (most > 0 ? [i] : []))
    const chosen = tf.tensor1d(active.length > 0 ? active : [0], 'int32')
    return {
      latents: tf.keep(tf.gather(dense, chosen, 1)) as Tensor2D,
      decoder: tf.keep(tf.gather(sae.decoder(), chosen)) as Tensor2D,
      values,
    }
  })
}

/** An entity, and another one whose answer about the attribute differs. */
type Pair = readonly [own: number, other: number]

function pairsOf({ promptOf }: Known, attribute: number, entities: readonly number[], random: Random): Pair[] {
  const pairs = entities.flatMap(own =>
    entities.flatMap((other): Pair[] =>
      promptOf(attribute, own).answer === promptOf(attribute, other).answer ? [] : [[own, other]],
    ),
  )
  return random.shuffle(pairs)
}

/** One question: the prompt of an attribute about an entity, changed towards another one. */
interface Question {
  readonly prompt: EntityPrompt
  /** Rows of the states of the entity and of the other one, at the same attribute. */
  readonly rows: readonly [own: number, other: number]
}

const questionOf = ({ promptOf, entities }: Known, attribute: number, [own, other]: Pair): Question => ({
  prompt: promptOf(attribute, own),
  rows: [attribute * entities.length + own, attribute * entities.length + other],
})

/** Logits [questions, vocabulary] behind each prompt, with `delta` [questions, width] added at its entity. */
function answersTo(model: Model, site: string, questions: readonly Question[], delta: Tensor2D): Tensor2D {
  const [count, width] = [questions.length, delta.shape[1]]
  const length = Math.max(...questions.map(({ prompt }) => prompt.tokens.length))
  const ids = new Int32Array(count * length)
  questions.forEach(({ prompt }, i) => {
    ids.set(prompt.tokens, i * length)
  })
  // What stands behind a prompt acts on no position before it.
  const at = (places: readonly number[]) => tf.oneHot(tf.tensor1d([...places], 'int32'), length).expandDims(2)
  const places = at(questions.map(({ prompt }) => prompt.position))
  const ends = at(questions.map(({ prompt }) => prompt.tokens.length - 1))
  const added = delta.reshape([count, 1, width]).mul(places) as Tensor3D
  const logits = model.run(tf.tensor2d(ids, [count, length], 'int32'), { hooks: { [site]: adding(added) } })
  return logits.mul(ends).sum(1) as Tensor2D
}

/** The mask [active] of an attribute: 1 for latents that are to be changed. */
function learnMask(
  model: Model,
  sae: Sae,
  known: Known,
  { latents, decoder }: States,
  attribute: number,
  pairs: readonly Pair[],
  random: Random,
): Float32Array {
  const size = latents.shape[1]
  const theta = new Float32Array(size)
  const [first, second] = [new Float32Array(size), new Float32Array(size)]
  for (let step = 0; step < steps; step++) {
    const temperature = temperatures[0] * (temperatures[1] / temperatures[0]) ** (step / (steps - 1))
    const asked = Array.from({ length: Math.min(stepPairs, pairs.length) }, () => {
      const pair = random.pick(pairs)
      // Half of the questions are about the attribute itself.
      const others = known.attributes.map((_, b) => b).filter(b => b !== attribute)
      const about = random.uniform() < 0.5 ? attribute : random.pick(others)
      const question = questionOf(known, about, pair)
      return { question, answer: known.promptOf(about, pair[about === attribute ? 1 : 0]).answer }
    })
    const gradient = onHost(() => {
      const questions = asked.map(({ question }) => question)
      const change = differenceOf(latents, questions)
      const loss = (values: Tensor1D) => {
        const mask = values.div(temperature).sigmoid()
        const logits = answersTo(model, sae.metadata.hook_name, questions, change.mul(mask).matMul(decoder) as Tensor2D)
        const answers = tf.oneHot(
          tf.tensor1d(
            asked.map(({ answer }) => answer),
            'int32',
          ),
          model.config.vocabulary,
        )
        return logits.logSoftmax().mul(answers).sum(1).mean().neg()
      }
      return tf
        .grad(values => loss(values as Tensor1D))(tf.tensor1d(theta.slice()))
        .dataSync<'float32'>() as Float32Array
    })
    for (let i = 0; i < size; i++) {
      first[i] = 0.9 * first[i]! + 0.1 * gradient[i]!
      second[i] = 0.999 * second[i]! + 0.001 * gradient[i]! ** 2
      const [m, v] = [first[i]! / (1 - 0.9 ** (step + 1)), second[i]! / (1 - 0.999 ** (step + 1))]
      theta[i]! -= (learningRate * m) / (Math.sqrt(v) + 1e-8)
    }
  }
  return theta.map(value => (value > 0 ? 1 : 0))
}

/** f(other) − f(own) of each question [questions, active]. */
function differenceOf(latents: Tensor2D, questions: readonly Question[]): Tensor2D {
  const rows = (place: 0 | 1) =>
    tf.gather(
      latents,
      tf.tensor1d(
        questions.map(question => question.rows[place]),
        'int32',
      ),
    )
  return rows(1).sub(rows(0)) as Tensor2D
}

/** How many answers a mask changes and leaves; without one the value at the site is changed as a whole. */
function countAnswers(
  model: Model,
  sae: Sae,
  known: Known,
  { latents, decoder, values }: States,
  attribute: number,
  pairs: readonly Pair[],
  mask: Float32Array | null,
): Pick<RavelRow, 'pairs' | 'caused' | 'others' | 'kept'> {
  const right = (about: number, place: 0 | 1) => {
    const questions = pairs.map(pair => questionOf(known, about, pair))
    const wanted = pairs.map(pair => known.promptOf(about, pair[place]).answer)
    const logits = onHost(() => {
      const { width } = sae
      const rowsOf = (at: 0 | 1) =>
        tf.tensor2d(
          Float32Array.from(
            questions.flatMap(({ rows }) => [...values.subarray(rows[at] * width, (rows[at] + 1) * width)]),
          ),
          [questions.length, width],
        )
      const delta = mask
        ? (differenceOf(latents, questions).mul(tf.tensor1d(mask)).matMul(decoder) as Tensor2D)
        : (rowsOf(1).sub(rowsOf(0)) as Tensor2D)
      return answersTo(model, sae.metadata.hook_name, questions, delta).argMax(1).dataSync<'int32'>()
    })
    return rightAnswers(logits, wanted)
  }
  const others = known.attributes.map((_, b) => b).filter(b => b !== attribute)
  return {
    pairs: pairs.length,
    caused: right(attribute, 1),
    others: others.length * pairs.length,
    kept: others.reduce((sum, other) => sum + right(other, 0), 0),
  }
}
