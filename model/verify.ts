/**
 * A model against reference values, tensor by tensor, and its tokenizer against the reference's token ids, text by text.
 */
import { UserError } from '../core/errors.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import { tokenLoss } from './loss.ts'
import type { Hook, Model } from './model.ts'
import { openReference, type ReferenceText, siteOfTensor } from './reference.ts'

/**
 * How far values may differ: by `absolute`, and by this share of the largest value of their tensor. Two orders of the same
 * sums in float32 differ by a share of what is summed, in small elements too.
 */
export interface Tolerance {
  readonly absolute: number
  readonly relative: number
}
const defaultTolerance: Tolerance = { absolute: 1e-4, relative: 1e-5 }

/** How one tensor of the reference compares. */
export interface VerifiedTensor {
  /** Its name in the reference file. */
  readonly name: string
  /** The site it was compared with. */
  readonly site: string
  /** Largest absolute difference of an element; infinite where one is not a number and the other is. */
  readonly difference: number
  /** Largest absolute value expected, infinite ones aside. */
  readonly magnitude: number
  /** The largest difference that passes. */
  readonly allowed: number
  readonly elements: number
  readonly passed: boolean
}

/** A text for which the model's tokenizer gives other ids than the reference's. */
export interface DifferentText {
  readonly text: string
  /** The first token that differs. */
  readonly token: number
  readonly expected: readonly number[]
  readonly actual: readonly number[]
}

export interface VerifyReport {
  readonly model: string
  readonly reference: string
  readonly tolerance: Tolerance
  /** Batch and positions of the tokens compared on. */
  readonly tokens: readonly [number, number]
  /** In the order of the forward pass. */
  readonly tensors: readonly VerifiedTensor[]
  readonly largest: number
  /** Texts with token ids in the reference, how many of them were compared (none without a tokenizer), which differ. */
  readonly texts: { readonly given: number; readonly compared: number; readonly different: readonly DifferentText[] }
  readonly passed: boolean
}

/** What the ids of texts are compared by. */
export interface Encoder {
  /** The ids of each text, without special tokens before or after it. */
  encodeAll(texts: readonly string[]): Promise<Int32Array[]>
}

/**
 * Runs the model on the reference's tokens (`input_ids` in NAME.json beside NAME.safetensors, or a tensor of that name
 * in it) and compares every tensor; with a tokenizer, the ids of the reference's texts too. Heads may be flattened: only
 * the number of elements must agree. Throws a `UserError` for a tensor that the model has no site for or that has another
 * size.
 */
export async function verifyModel(
  model: Model,
  referencePath: string,
  { tolerance = defaultTolerance, tokenizer }: { tolerance?: Tolerance; tokenizer?: Encoder | undefined } = {},
): Promise<VerifyReport> {
  const { file, ids, texts } = await openReference(referencePath)
  try {
    const wanted = file.names
      .filter(name => name !== 'input_ids')
      .map(name => ({ name, site: siteOfTensor(model, name, referencePath) }))
    const order = new Map(model.sites.map(({ name }, index) => [name, index]))
    wanted.sort((a, b) => order.get(a.site)! - order.get(b.site)!)
    const values = valuesAt(model, ids, wanted)
    const tensors: VerifiedTensor[] = []
    for (const { name, site } of wanted) {
      const expected = await file.read(name)
      const actual = values.get(name)!
      if (actual.length !== expected.length)
        throw new UserError(
          `Tensor ${name} of ${referencePath} has ${expected.length} elements [${file.shape(name).join(', ')}], but the model has ${actual.length} at ${site}.`,
          { fix: 'Check that the reference is of this model and these tokens.' },
        )
      tensors.push({ name, site, ...compared(actual, expected, tolerance) })
    }
    const different = tokenizer ? await differentTexts(tokenizer, texts) : []
    return {
      model: model.path,
      reference: referencePath,
      tolerance,
      tokens: [ids.length, ids[0]!.length],
      tensors,
      largest: tensors.reduce((most, { difference }) => Math.max(most, difference), 0),
      texts: { given: texts.length, compared: tokenizer ? texts.length : 0, different },
      passed: tensors.every(({ passed }) => passed) && different.length === 0,
    }
  } finally {
    await file.close()
  }
}

function compared(actual: Float32Array, expected: Float32Array, { absolute, relative }: Tolerance) {
  const difference = largestDifference(actual, expected)
  const magnitude = expected.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0)
  const allowed = absolute + relative * magnitude
  return { difference, magnitude, allowed, elements: expected.length, passed: difference <= allowed }
}

async function differentTexts(tokenizer: Encoder, texts: readonly ReferenceText[]): Promise<DifferentText[]> {
  const encoded = await tokenizer.encodeAll(texts.map(({ text }) => text))
  return texts.flatMap(({ text, ids: expected }, i) => {
    const actual = [...encoded[i]!]
    const token = Array.from({ length: Math.max(actual.length, expected.length) }).findIndex(
      (_, at) => actual[at] !== expected[at],
    )
    return token < 0 ? [] : [{ text, token, expected, actual }]
  })
}

/** What the model computes for each tensor that is wanted, in one pass. */
function valuesAt(
  model: Model,
  ids: number[][],
  wanted: readonly { name: string; site: string }[],
): Map<string, Float32Array> {
  const values = new Map<string, Float32Array>()
  const hooks: Record<string, Hook> = {}
  for (const { name, site } of wanted) {
    const before = hooks[site]
    hooks[site] = (value, at) => {
      before?.(value, at)
      if (name !== 'token_loss') values.set(name, Float32Array.from(value.dataSync<'float32'>()))
      return undefined
    }
  }
  tf.tidy(() => {
    const tokens = tf.tensor2d(ids, undefined, 'int32') as Tensor2D
    const logits: Tensor = model.run(tokens, { hooks })
    if (wanted.some(({ name }) => name === 'token_loss'))
      values.set('token_loss', Float32Array.from(tokenLoss(logits as Tensor3D, tokens).dataSync<'float32'>()))
  })
  return values
}

function largestDifference(actual: Float32Array, expected: Float32Array): number {
  let largest = 0
  for (let i = 0; i < actual.length; i++) {
    const a = actual[i]!
    const b = expected[i]!
    if (a === b) continue
    const difference = Math.abs(a - b)
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY
    if (difference > largest) largest = difference
  }
  return largest
}
