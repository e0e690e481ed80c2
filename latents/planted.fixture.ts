/**
 * A model of one site whose residual at a token and whose readout are given, with an SAE of given rows: causes that can be worked
 * out by hand, on the text of `fake.fixture.ts` (cues of six concepts, each followed by its answers).
 */
import { type Tensor, type Tensor2D, tf } from '../engine/tf.ts'
import type { Model, RunOptions } from '../model/model.ts'
import type { Sae } from '../sae/sae.ts'
import { conceptCount, conceptOf, fakeConfig, sparseOf, vocabularySize } from './fake.fixture.ts'

const site = 'blocks.0.hook_resid_post'

/** The concept that a token answers, or −1. */
export const answeredBy = (token: number) => (conceptOf(token) >= 0 ? -1 : conceptOf(token - 4))

/** Logits that raise the four answers of concept c by column c of `strengths` [rows, concepts]. */
export function answerLogits(strengths: Tensor2D): Tensor2D {
  const answers = new Float32Array(conceptCount * vocabularySize)
  for (let token = 0; token < vocabularySize; token++) {
    const concept = answeredBy(token)
    if (concept >= 0) answers[concept * vocabularySize + token] = 1
  }
  return strengths.matMul(tf.tensor2d(answers, [conceptCount, vocabularySize])) as Tensor2D
}

/** A model whose residual at a token is `residual(token)` [width], and whose logits are `read` of the residuals [rows, width]. */
export function plantedModel(
  width: number,
  residual: (token: number) => readonly number[],
  read: (x: Tensor2D) => Tensor2D,
): Model {
  const table: Tensor = tf.keep(tf.tensor2d(Array.from({ length: vocabularySize }, (_, token) => [...residual(token)])))
  return {
    config: fakeConfig({ width, vocabulary: vocabularySize, context: 64 }),
    sites: [{ name: site, axes: ['batch', 'position', 'width'], size: [width] }],
    hash: 'planted-model',
    path: 'planted',
    weights: {},
    run(tokens: Tensor2D, { hooks = {}, from, until }: RunOptions = {}): Tensor {
      return tf.tidy(() => {
        const value = from?.value ?? (tf.gather(table, tokens) as Tensor)
        const x = hooks[site]?.(value, site) ?? value
        if (until === site) return x.clone()
        const [batch, length] = tokens.shape
        return read(x.reshape([batch * length, width]) as Tensor2D).reshape([batch, length, vocabularySize])
      })
    },
    unembedding: () => tf.zeros([width, vocabularySize]) as Tensor2D,
    logitColumns: () => null,
    editedFrom: () => null,
    dispose: () => table.dispose(),
  }
}

/** An SAE with f = relu(x · encoder − threshold) and these decoder rows. */
export function plantedSae(
  encoder: readonly (readonly number[])[],
  decoder: readonly (readonly number[])[] = encoder,
  threshold = 0.25,
): Sae {
  const wEnc = tf.keep(tf.tensor2d(encoder.map(row => [...row]))) as Tensor2D
  const wDec = tf.keep(tf.tensor2d(decoder.map(row => [...row]))) as Tensor2D
  const width = encoder[0]!.length
  const encodeDense = (x: Tensor2D) => tf.tidy(() => x.matMul(wEnc, false, true).sub(threshold).relu() as Tensor2D)
  const decode: Sae['decode'] = latents => {
    if ('offsets' in latents) throw new Error('The planted SAE decodes dense latents only.')
    return tf.tidy(() => latents.matMul(wDec) as Tensor2D)
  }
  return {
    architecture: 'standard',
    width,
    outputs: width,
    latents: encoder.length,
    config: {},
    metadata: { hook_name: site },
    params: {},
    hash: 'planted-sae',
    encodeDense,
    encode: x => sparseOf(encodeDense(x)),
    decode,
    reconstruct: x => tf.tidy(() => decode(encodeDense(x))),
    decoder: () => wDec.clone(),
    dispose: () => tf.dispose([wEnc, wDec]),
  }
}

/** Row i of the identity. */
export const unitRow = (width: number, i: number, scale = 1) =>
  Array.from({ length: width }, (_, j) => (i === j ? scale : 0))
