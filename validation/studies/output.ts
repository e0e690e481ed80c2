/**
 * Study: input and output features. A latent that tells tokens of text need not say any. Its output score (Arad, Mueller and
 * Belinkov 2025, arXiv:2505.20063) is how far the tokens that its direction promotes come to the top when it is amplified at the
 * last position; its confidence shift (Wang et al. 2025, arXiv:2510.03659) how much surer the model is then of what follows:
 *
 *   output score = (1 − r / V) · p,   r the best rank, from 0, and p the largest probability of the promoted tokens
 *   token confidence C = −1/k Σ log p over the k likeliest tokens,   shift = C amplified − C as it is
 *
 * Promoted tokens are the k largest of d·W_U. Text in which the latent is silent stands for a neutral prompt. Any direction that is
 * pushed far enough says something, so that both are ranked among random and foreign directions with promoted tokens of their own.
 */
import { onHost } from '../../engine/host.ts'
import { type Tensor2D, type Tensor3D, tf } from '../../engine/tf.ts'
import type { Activations } from '../../latents/activations.ts'
import { adding } from '../../latents/interventions.ts'
import { mean } from '../../statistics/descriptive.ts'
import type { Material } from '../claims/plan.ts'
import type { OutputFound } from '../contracts/output.ts'
import { type AnalysisSettings, summarise } from '../judging/analyse.ts'
import { byDocument } from '../judging/values.ts'
import type { ClaimDocument } from '../rows.ts'
import { rankAmong } from './ranks.ts'
import { latentStudy } from './study.ts'
import { type BankRow, controlledBank, isTested } from './subject.ts'

type Row = {
  readonly control: string
  readonly controlId: number | null
  readonly document: string
  readonly window: string
  readonly strength: number
  /** Best rank of the promoted tokens, from 0, their largest probability, and tokens of the vocabulary. */
  readonly rank: number
  readonly probability: number
  readonly vocabulary: number
  /** Token confidence as the text is, and amplified. */
  readonly clean: number
  readonly amplified: number
  /** Share of the latent's strongest windows; null of controls. */
  readonly inputScore: number | null
}

/** Tokens that a direction is said to promote, and that confidence is over. */
const promotedTokens = 20
/** Amplification, in units of the largest activation. */
const amplification = 10
/** Strongest windows that the input score is over. */
const strongestWindows = 20
/** Logits that a pass may hold. */
const maximumLogits = 2 ** 24

export const output = latentStudy<Row, OutputFound>({
  name: 'output',
  question: 'Does amplifying the latent make the model say the tokens that its direction promotes?',
  byDefault: false,
  definitions: {
    outputScore:
      '(1 − r / V) · p of the 20 tokens that the direction promotes most (d·W_U), r their best rank from 0 and p their largest probability, with 10 × the largest activation added at the last position of documents in which the latent is silent',
    confidenceShift: 'C amplified − C as it is, C = −1/20 Σ log p of the 20 likeliest tokens',
    p: 'the larger of the ranks among random and foreign directions of equal norm with promoted tokens of their own; of the shift by its size',
    inputScore:
      'share of the 20 discovery windows with the largest activations whose peak token is one of the 20 promoted',
  },
  columns: {
    control: 'string',
    controlId: 'int32?',
    document: 'string',
    window: 'string',
    strength: 'float64',
    rank: 'int32',
    probability: 'float64',
    vocabulary: 'int32',
    clean: 'float64',
    amplified: 'float64',
    inputScore: 'float64?',
  },

  async measure({ material, pause }, plan) {
    if (!isTested(material, plan) || plan.documents.steer.length === 0) return []
    const { feature, discovery } = plan.claim
    const { bank, rows } = controlledBank(material, plan)
    try {
      const promoted = promotedBy(material, bank)
      const inputScore = inputScoreOf(material.discovery, feature, new Set(promoted[0]))
      const strength = amplification * discovery.maximum
      const found: Row[] = []
      for (const document of plan.documents.steer) {
        found.push(...measureDocument(material, document, { bank, rows, promoted, strength, inputScore }))
        await pause()
      }
      return found
    } finally {
      bank.dispose()
    }
  },

  judge: (tested, settings) =>
    tested.map(({ claim, rows }) =>
      rows.length === 0 ? null : findingsOf(rows, settings, [settings.seed, 'output', claim.feature]),
    ),
})

/** For each direction of a bank the tokens that it promotes most. */
function promotedBy({ model }: Material, bank: Tensor2D): number[][] {
  return onHost(() => {
    const { indices } = tf.topk(bank.matMul(model.unembedding()), Math.min(promotedTokens, model.config.vocabulary))
    return indices.arraySync() as number[][]
  })
}

/** The share of the strongest windows whose peak token is promoted; null where the latent never fires. */
function inputScoreOf(
  { offsets, window, position, value, windows }: Activations,
  latent: number,
  promoted: ReadonlySet<number>,
): number | null {
  const peaks = new Map<number, number>()
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) {
    const known = peaks.get(window[e]!)
    if (known === undefined || value[e]! > value[known]!) peaks.set(window[e]!, e)
  }
  const strongest = [...peaks.values()].sort((a, b) => value[b]! - value[a]! || a - b).slice(0, strongestWindows)
  if (strongest.length === 0) return null
  const hits = strongest.filter(e => promoted.has(windows[window[e]!]!.tokens[position[e]!]!))
  return hits.length / strongest.length
}

interface Amplified {
  readonly bank: Tensor2D
  readonly rows: readonly BankRow[]
  readonly promoted: readonly (readonly number[])[]
  readonly strength: number
  readonly inputScore: number | null
}

function measureDocument(
  { model, sae, config }: Material,
  { document, window }: ClaimDocument,
  { bank, rows, promoted, strength, inputScore }: Amplified,
): Row[] {
  const ids = window.tokens.slice(0, config.positions)
  const { vocabulary } = model.config
  const atOnce = Math.max(1, Math.floor(maximumLogits / (ids.length * vocabulary)))
  const lastRow = (logits: Tensor3D) => logits.slice([0, ids.length - 1, 0], [-1, 1, -1]).reshape([-1, vocabulary])
  const probabilities = (directions?: Tensor2D) => {
    const count = directions?.shape[0] ?? 1
    const tokens = tf.tensor2d(ids, [1, ids.length], 'int32').tile([count, 1]) as Tensor2D
    const delta = directions && lastOnly(directions.mul(strength) as Tensor2D, ids.length)
    const hooks = delta ? { [sae.metadata.hook_name]: adding(delta) } : {}
    return lastRow(model.run(tokens, { hooks }) as Tensor3D)
      .logSoftmax()
      .arraySync() as number[][]
  }
  const clean = confidence(onHost(() => probabilities())[0]!)
  const amplified: number[][] = []
  for (let start = 0; start < rows.length; start += atOnce)
    amplified.push(
      ...onHost(() => probabilities(bank.slice([start, 0], [Math.min(atOnce, rows.length - start), -1]) as Tensor2D)),
    )
  return rows.map((row, i) => {
    const logs = amplified[i]!
    const best = promoted[i]!.reduce((a, b) => (logs[b]! > logs[a]! ? b : a))
    return {
      ...row,
      ...{ document, window: window.id, strength },
      rank: logs.filter(value => value > logs[best]!).length,
      probability: Math.exp(logs[best]!),
      vocabulary,
      ...{ clean, amplified: confidence(logs) },
      inputScore: row.control === 'feature' ? inputScore : null,
    }
  })
}

/** Directions [rows, width] at the last of so many positions, 0 at the others. */
function lastOnly(directions: Tensor2D, length: number): Tensor3D {
  const [count, width] = directions.shape
  return tf.concat([tf.zeros([count, length - 1, width]), directions.expandDims(1)], 1) as Tensor3D
}

/** −1/k Σ log p over the k likeliest tokens. */
function confidence(logs: readonly number[]): number {
  const likeliest = Float64Array.from(logs).sort().reverse().subarray(0, promotedTokens)
  return -mean(likeliest)
}

function findingsOf(rows: readonly Row[], settings: AnalysisSettings, seed: readonly (string | number)[]): OutputFound {
  const own = rows.filter(({ control }) => control === 'feature')
  const documents = [...new Set(own.map(({ document }) => document))]
  const score = (row: Row) => (1 - row.rank / row.vocabulary) * row.probability
  const shift = (row: Row) => row.amplified - row.clean
  const found = (value: (row: Row) => number, size: (mean: number) => number, name: string) => {
    const over = (of: readonly Row[]) => byDocument(of, documents, value)
    const values = over(own)
    const p = rankAmong(size(mean(values)), rows, ['random', 'foreign'], settings.alpha, each => size(mean(over(each))))
    return { effect: summarise(values, settings, ...seed, name), p }
  }
  return {
    documents: documents.length,
    strength: own[0]!.strength,
    outputScore: found(score, value => value, 'score'),
    confidenceShift: found(shift, Math.abs, 'shift'),
    inputScore: own[0]!.inputScore,
  }
}
