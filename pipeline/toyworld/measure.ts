/** What a model knows of toyworld: right answers by kind of prompt, and its loss beside the language's entropy. */
import {
  bosToken,
  eosToken,
  factPrompts,
  indirectObjectPrompts,
  inductionPrompts,
  type Prompt,
  pronounPrompts,
  type Register,
  toyworldDocuments,
  toyworldEntropy,
} from '../../datasets/toyworld/index.ts'
import { type Tensor2D, type Tensor3D, tf } from '../../engine/tf.ts'
import { tokenLoss } from '../../model/loss.ts'
import type { Model } from '../../model/model.ts'
import { evaluationSeed } from './batches.ts'

/** A share of right answers, and the worst group where prompts fall into groups. */
export interface Answers {
  readonly prompts: number
  /** Share of prompts whose likeliest next token is the answer. */
  readonly right: number
  /** Mean loss of the answer in nats. */
  readonly loss: number
  /** Share where the answer is likelier than each of the prompt's distractors. */
  readonly overDistractors: number
  /** The group (language and form) with the smallest share right. */
  readonly worst: { readonly group: string; readonly right: number }
}

export interface Figures {
  readonly facts: Answers
  /** Articles before an object that agree with it, asked for before they are shown. */
  readonly articles: Answers
  readonly indirectObject: Answers
  readonly pronouns: Answers
  readonly induction: Answers
  readonly documents: {
    readonly count: number
    /** Mean loss in nats a token, `<eos>` included. */
    readonly loss: number
    /** Entropy of the language over documents of the same kind, in nats a token. */
    readonly entropy: number
    /** Mean loss of the tokens of a sequence's copy after the first, which the text decides. */
    readonly inductionLoss: number
  }
}

export interface MeasureOptions {
  /** Registers of the fact prompts. */
  readonly registers?: readonly Register[]
  /** Every n-th fact prompt. */
  readonly everyFact?: number
  /** Prompts of each other kind. */
  readonly prompts?: number
  readonly documents?: number
}

const rowsPerBatch = 128

/** Log probability [vocabulary] after each sequence (BOS in front), in the order given. */
function* lastLogProbabilities(model: Model, sequences: readonly Int32Array[]): Generator<[number, Float32Array]> {
  const order = sequences.map((_, i) => i).sort((a, b) => sequences[a]!.length - sequences[b]!.length)
  const { vocabulary, width } = model.config
  for (let start = 0; start < order.length; start += rowsPerBatch) {
    const rows = order.slice(start, start + rowsPerBatch)
    const length = 1 + Math.max(...rows.map(i => sequences[i]!.length))
    const tokens = new Int32Array(rows.length * length).fill(eosToken)
    rows.forEach((i, row) => {
      tokens[row * length] = bosToken
      tokens.set(sequences[i]!, row * length + 1)
    })
    const ends = Int32Array.from(rows, (i, row) => row * length + sequences[i]!.length)
    const values = tf.tidy(() => {
      const batch = tf.tensor2d(tokens, [rows.length, length], 'int32')
      const last = model
        .run(batch, { until: 'unembed.hook_in' })
        .reshape([-1, width])
        .gather(tf.tensor1d(ends, 'int32'))
      return last.matMul(unembeddingMatrix(model), false, true).logSoftmax().dataSync() as Float32Array
    })
    for (const [row, i] of rows.entries()) yield [i, values.subarray(row * vocabulary, (row + 1) * vocabulary)]
  }
}

/** The tied head, [vocabulary, width]. */
const unembeddingMatrix = (model: Model) => model.weights['transformer.wte.weight']! as Tensor2D

/** Asks every prompt. */
export function answer(model: Model, prompts: readonly Prompt[]): Answers {
  const groups = new Map<string, { right: number; prompts: number }>()
  let right = 0
  let over = 0
  let loss = 0
  for (const [i, logProbability] of lastLogProbabilities(
    model,
    prompts.map(prompt => prompt.tokens),
  )) {
    const prompt = prompts[i]!
    const own = logProbability[prompt.answer]!
    const isRight = logProbability.every((value, token) => token === prompt.answer || value < own)
    const name = `${prompt.strata.language} ${prompt.strata.form}`
    const group = groups.get(name) ?? { right: 0, prompts: 0 }
    groups.set(name, { right: group.right + Number(isRight), prompts: group.prompts + 1 })
    right += Number(isRight)
    over += Number(prompt.distractors.every(token => logProbability[token]! < own))
    loss -= own
  }
  const shares = [...groups].map(([group, { right, prompts }]) => ({ group, right: right / prompts }))
  const worst = shares.sort((a, b) => a.right - b.right)[0] ?? { group: 'none', right: 1 }
  const { length } = prompts
  return { prompts: length, right: right / length, loss: loss / length, overDistractors: over / length, worst }
}

/** Prompts that ask for the first article before the answer instead. */
function articlePrompts(prompts: readonly Prompt[]): Prompt[] {
  return prompts
    .filter(prompt => prompt.lead > 0)
    .map(prompt => ({
      ...prompt,
      tokens: prompt.tokens.slice(0, prompt.tokens.length - prompt.lead),
      answer: prompt.tokens.at(-prompt.lead)!,
      lead: 0,
      distractors: new Int32Array(),
    }))
}

function documentLoss(model: Model, count: number): Figures['documents'] {
  const documents = toyworldDocuments({ seed: evaluationSeed, documents: count })
  let nats = 0
  let tokens = 0
  let inductionNats = 0
  let inductionTokens = 0
  const rowsAtOnce = 64
  for (let start = 0; start < documents.length; start += rowsAtOnce) {
    const batch = documents.slice(start, start + rowsAtOnce)
    const length = 2 + Math.max(...batch.map(document => document.tokens!.length))
    const ids = new Int32Array(batch.length * length).fill(eosToken)
    batch.forEach((document, row) => {
      ids[row * length] = bosToken
      ids.set(document.tokens!, row * length + 1)
    })
    const losses = tf.tidy(() => {
      const windows = tf.tensor2d(ids, [batch.length, length], 'int32')
      return tokenLoss(model.run(windows) as Tensor3D, windows).dataSync() as Float32Array
    })
    batch.forEach((document, row) => {
      const own = losses.subarray(row * (length - 1), row * (length - 1) + document.tokens!.length + 1)
      tokens += own.length
      nats += own.reduce((sum, loss) => sum + loss, 0)
      document.tokenConcepts!.forEach((concepts, i) => {
        if (!concepts.includes('induction') || !document.tokenConcepts![i - 1]!.includes('induction')) return
        inductionNats += own[i]!
        inductionTokens++
      })
    })
  }
  return {
    count,
    loss: nats / tokens,
    entropy: toyworldEntropy({ seed: evaluationSeed, documents: count }),
    inductionLoss: inductionNats / inductionTokens,
  }
}

/** Measures a model (float32 engine). The defaults are the whole measurement: about 14,000 fact prompts. */
export function measure(model: Model, options: MeasureOptions = {}): Figures {
  const { registers, everyFact = 1, prompts = 960, documents = 2000 } = options
  const facts = factPrompts(registers ? { registers } : {}).filter((_, i) => i % everyFact === 0)
  const other = { seed: evaluationSeed, prompts }
  return {
    facts: answer(model, facts),
    articles: answer(model, articlePrompts(facts)),
    indirectObject: answer(model, indirectObjectPrompts(other)),
    pronouns: answer(model, pronounPrompts(other)),
    induction: answer(model, inductionPrompts(other)),
    documents: documentLoss(model, documents),
  }
}
