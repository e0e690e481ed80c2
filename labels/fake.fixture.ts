/** A hand-made model and SAE for the tests of this folder: latent t fires with strength 1 on token t, 2 on its double. */
import type { Document, TokenDataset, TokenWindow } from '../datasets/document.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import type { Model, RunOptions } from '../model/model.ts'
import type { Sae, SparseLatents } from '../sae/sae.ts'

export const VOCABULARY = 6

/** A model whose residual at a token is its one-hot vector. */
export function fakeModel(): Model {
  return {
    config: {
      family: 'fake',
      layers: 1,
      width: VOCABULARY,
      heads: 1,
      kvHeads: 1,
      headDim: VOCABULARY,
      mlpWidth: VOCABULARY,
      vocabulary: VOCABULARY,
      context: 16,
      bosToken: 0,
      eosToken: null,
    },
    sites: [{ name: 'blocks.0.hook_resid_post', axes: ['batch', 'position', 'width'], size: [VOCABULARY] }],
    hash: 'fake',
    path: 'fake',
    weights: {},
    run: (tokens: Tensor2D, _options?: RunOptions): Tensor =>
      tf.tidy(() => tf.oneHot(tokens, VOCABULARY).cast('float32') as Tensor3D),
    unembedding: () => tf.eye(VOCABULARY) as Tensor2D,
    dispose() {},
  }
}

/** An SAE with a latent a token: latent t is the residual's coordinate t, except latent 5, which never fires. */
export function fakeSae(): Sae {
  const encodeDense = (x: Tensor2D) => tf.tidy(() => x.mul(tf.tensor1d([1, 1, 1, 1, 1, 0])) as Tensor2D)
  return {
    architecture: 'fake',
    width: VOCABULARY,
    outputs: VOCABULARY,
    latents: VOCABULARY,
    config: {},
    metadata: { hook_name: 'blocks.0.hook_resid_post' },
    params: {},
    hash: 'fake',
    encodeDense,
    encode(x: Tensor2D): SparseLatents {
      const dense = encodeDense(x)
      const values = dense.dataSync()
      dense.dispose()
      const rows = x.shape[0]
      const offsets = new Uint32Array(rows + 1)
      const indices: number[] = []
      for (let r = 0; r < rows; r++) {
        for (let i = 0; i < VOCABULARY; i++) if (values[r * VOCABULARY + i]! > 0) indices.push(i)
        offsets[r + 1] = indices.length
      }
      return {
        rows,
        latents: VOCABULARY,
        offsets,
        indices: Uint32Array.from(indices),
        values: new Float32Array(indices.length).fill(1),
      }
    },
    decode: latents => tf.zeros([(latents as SparseLatents).rows, VOCABULARY]) as Tensor2D,
    reconstruct: x => x.clone(),
    decoder: () => tf.eye(VOCABULARY) as Tensor2D,
    dispose() {},
  }
}

/** Windows from rows of token ids; tokens 1 and 2 carry the concept `small`, token 3 follows `BOS` only. */
export function fakeDataset(rows: readonly (readonly number[])[]): TokenDataset {
  const documents: Document[] = rows.map((row, i) => ({
    id: `document-${i}`,
    strata: { language: i % 2 === 0 ? 'en' : 'fr' },
    tokenConcepts: row.slice(1).map(token => (token === 1 || token === 2 ? ['small'] : [])),
  }))
  const windows: TokenWindow[] = rows.map((row, i) => ({
    id: `document-${i}`,
    index: i,
    tokens: Int32Array.from(row),
    documents: new Uint32Array(row.length).fill(i),
    offsets: Int32Array.from(row, (_, position) => position - 1),
    split: i < rows.length / 2 ? 'discovery' : 'validation',
  }))
  return {
    name: 'fake',
    documents,
    windows,
    hash: 'fake',
    tokenizerHash: 'fake',
    concepts: ['language=en', 'language=fr', 'small'],
  }
}
