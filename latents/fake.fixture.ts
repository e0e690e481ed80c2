/**
 * A model and an SAE whose truth is known, for the tests of this folder.
 *
 * The language has `conceptCount` concepts. Concept c has four cue tokens; after a cue comes one of c's four answers, after
 * anything else a filler or a cue. The model adds, in block 0, direction g_c to the residual at a cue of c, and its
 * unembedding reads g_c as answers of c: so g_c causes what it should and nothing else does.
 */
import { Random } from '../core/random.ts'
import type { Document, HeldDataset, Split, TokenWindow } from '../datasets/document.ts'
import { type Tensor, type Tensor2D, tf } from '../engine/tf.ts'
import type { Model, RunOptions } from '../model/model.ts'
import type { Sae, SparseLatents } from '../sae/sae.ts'
import { denseRows } from '../sae/sparse.ts'

export const conceptCount = 6
export const modelWidth = 48
const fillerCount = 8
const cue = (concept: number, i: number) => 1 + fillerCount + concept * 8 + i
const answer = (concept: number, i: number) => 1 + fillerCount + concept * 8 + 4 + i
export const vocabularySize = 1 + fillerCount + conceptCount * 8
/** The concept whose cue a token is, or −1. */
export const conceptOf = (token: number) => {
  const i = token - 1 - fillerCount
  return i >= 0 && i % 8 < 4 ? Math.floor(i / 8) : -1
}

/** Unit rows, of which the first `conceptCount` are the planted directions. */
const directions = (count: number, seed: string) =>
  Array.from({ length: count }, (_, i) => {
    const row = new Random(seed, i).normals(modelWidth)
    const norm = Math.hypot(...row)
    return Float32Array.from(row, x => x / norm)
  })
const planted = directions(conceptCount, 'planted')

/** Text of the language, one document a window; labels are the concepts of cues, `shuffle` deals them to other documents. */
export function fakeDataset(documents: number, { shuffle = false, seed = 0 } = {}): HeldDataset {
  const made = Array.from({ length: documents }, (_, d) => {
    const random = new Random('text', seed, d)
    const tokens = [0]
    while (tokens.length < 20) {
      const concept = conceptOf(tokens[tokens.length - 1]!)
      if (concept >= 0 && random.uniform() < 0.9) tokens.push(answer(concept, random.int(4)))
      else if (random.uniform() < 0.25) tokens.push(cue(random.int(conceptCount), random.int(4)))
      else tokens.push(1 + random.int(fillerCount))
    }
    return tokens
  })
  const deal = shuffle ? new Random('deal', seed).shuffle(made.map((_, i) => i)) : made.map((_, i) => i)
  const docs: Document[] = made.map((_, d) => ({
    id: `document-${d}`,
    strata: { half: d % 2 === 0 ? 'even' : 'odd' },
    tokenConcepts: made[deal[d]!]!.slice(1).map(token => (conceptOf(token) < 0 ? [] : [`cue=${conceptOf(token)}`])),
  }))
  const splits: Split[] = ['train', 'discovery', 'validation']
  const windows: TokenWindow[] = made.map((tokens, i) => ({
    id: `document-${i}`,
    index: i,
    tokens: Int32Array.from(tokens),
    documents: new Uint32Array(tokens.length).fill(i),
    offsets: Int32Array.from(tokens, (_, position) => position - 1),
    split: splits[Math.floor(i / 2) % 3]!,
  }))
  return {
    name: 'fake',
    documents: docs,
    windows,
    hash: `fake-${documents}-${shuffle}-${seed}`,
    tokenizerHash: 'fake',
    concepts: Array.from({ length: conceptCount }, (_, c) => `cue=${c}`),
  }
}

/** The config of a model of one block. */
export function fakeConfig({ width, vocabulary, context }: Pick<Model['config'], 'width' | 'vocabulary' | 'context'>) {
  return {
    ...{
      family: 'fake',
      layers: 1,
      heads: 1,
      kvHeads: 1,
      headDim: width,
      mlpWidth: width,
      bosToken: 0,
      eosToken: null,
    },
    ...{ width, vocabulary, context },
  }
}

/** Dense latents [rows, latents] by row, and disposes them. */
export function sparseOf(dense: Tensor2D): SparseLatents {
  const [rows, latents] = dense.shape
  const all = dense.dataSync<'float32'>()
  dense.dispose()
  const offsets = new Uint32Array(rows + 1)
  const indices: number[] = []
  const values: number[] = []
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < latents; i++) {
      if (all[r * latents + i] === 0) continue
      indices.push(i)
      values.push(all[r * latents + i]!)
    }
    offsets[r + 1] = indices.length
  }
  return { rows, latents, offsets, indices: Uint32Array.from(indices), values: Float32Array.from(values) }
}

/**
 * The model: sites `blocks.0.hook_resid_pre`, `blocks.0.hook_mlp_out`, `blocks.0.hook_resid_post`; logits = residual · U. With
 * `untrained`, a seed, all of its weights are as random as those that mean nothing: every cue adds a direction of its own, and
 * no answer is read off any.
 */
export function fakeModel({ untrained }: { readonly untrained?: number } = {}): Model {
  const key = untrained === undefined ? [] : [untrained]
  const noise = new Random('embedding', ...key)
  const embedding = tf.keep(tf.tensor2d(noise.normals(vocabularySize * modelWidth, 0.15), [vocabularySize, modelWidth]))
  const added = new Float32Array(vocabularySize * modelWidth)
  const unembed = new Random('unembedding', ...key).normals(modelWidth * vocabularySize, 0.15)
  for (let token = 0; token < vocabularySize; token++) {
    const concept = conceptOf(token)
    if (concept >= 0)
      added.set(
        (untrained === undefined ? planted[concept]! : directions(1, `cue-${untrained}-${token}`)[0]!).map(x => 3 * x),
        token * modelWidth,
      )
    const answered = conceptOf(token - 4)
    if (answered < 0 || untrained !== undefined) continue
    for (let i = 0; i < modelWidth; i++) unembed[i * vocabularySize + token]! += 1.5 * planted[answered]![i]!
  }
  const mlp = tf.keep(tf.tensor2d(added, [vocabularySize, modelWidth]))
  const output = tf.keep(tf.tensor2d(unembed, [modelWidth, vocabularySize]))
  const names = ['blocks.0.hook_resid_pre', 'blocks.0.hook_mlp_out', 'blocks.0.hook_resid_post']
  return {
    config: fakeConfig({ width: modelWidth, vocabulary: vocabularySize, context: 64 }),
    sites: names.map(name => ({ name, axes: ['batch', 'position', 'width'], size: [modelWidth] })),
    hash: ['fake-model', ...key].join('-'),
    path: 'fake',
    weights: {},
    run(tokens: Tensor2D, { hooks = {}, from, until }: RunOptions = {}): Tensor {
      return tf.tidy(() => {
        const look = (table: Tensor2D) => tf.gather(table, tokens) as Tensor
        const visit = (site: string, value: Tensor) => hooks[site]?.(value, site) ?? value
        let x: Tensor
        if (from?.site === names[2]) x = visit(names[2]!, from.value)
        else {
          x = visit(names[0]!, from?.value ?? look(embedding))
          if (until === names[0]) return x.clone()
          const out = visit(names[1]!, look(mlp))
          if (until === names[1]) return out.clone()
          x = visit(names[2]!, x.add(out))
        }
        if (until === names[2]) return x.clone()
        const [batch, length] = tokens.shape
        return x
          .reshape([batch * length, modelWidth])
          .matMul(output)
          .reshape([batch, length, vocabularySize])
      })
    },
    unembedding: () => output.clone(),
    logitColumns: () => null,
    editedFrom: () => null,
    dispose: () => tf.dispose([embedding, mlp, output]),
  }
}

/** Latents of the fake SAE: the planted concepts, then latents that detect something and mean nothing. */
export const latentCount = 200

/**
 * An SAE that detects each concept with its own latent (encoder g_c) and fires `latentCount − conceptCount` others on chance
 * directions. `decoder: 'random'` keeps the encoder and replaces every decoder row by a random unit vector; `untrained` has
 * random unit vectors for both, the same ones.
 */
export function fakeSae({ decoder = 'true' as 'true' | 'random' | 'untrained', seed = 0 } = {}): Sae {
  const found = [...planted, ...directions(latentCount - conceptCount, 'other')]
  const encoder = decoder === 'untrained' ? directions(latentCount, `untrained-${seed}`) : found
  const rows = decoder === 'random' ? directions(latentCount, `random-${seed}`) : encoder
  const wEnc = tf.keep(tf.tensor2d(encoder.map(row => Array.from(row)))) as Tensor2D
  const wDec = tf.keep(tf.tensor2d(rows.map(row => Array.from(row)))) as Tensor2D
  const thresholds = Array.from({ length: latentCount }, (_, i) => (i < conceptCount ? 1.5 : 0.4))
  const encodeDense = (x: Tensor2D) =>
    tf.tidy(() => x.matMul(wEnc, false, true).sub(tf.tensor1d(thresholds)).relu() as Tensor2D)
  const decode = (latents: Tensor2D | SparseLatents) =>
    tf.tidy(() => ('offsets' in latents ? denseRows(latents) : latents).matMul(wDec) as Tensor2D)
  return {
    architecture: 'standard',
    width: modelWidth,
    outputs: modelWidth,
    latents: latentCount,
    config: {},
    metadata: { hook_name: 'blocks.0.hook_resid_post' },
    params: {},
    hash: `fake-sae-${decoder}-${seed}`,
    encodeDense,
    encode: x => sparseOf(encodeDense(x)),
    decode,
    reconstruct: x => tf.tidy(() => decode(encodeDense(x))),
    decoder: () => wDec.clone(),
    dispose: () => tf.dispose([wEnc, wDec]),
  }
}
