/** The smallest model and SAE that one can work out by hand: latent t fires with strength 1 on token t. */
import type { Document, HeldDataset, TokenWindow } from '../datasets/document.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import type { Model, RunOptions } from '../model/model.ts'
import type { Sae, SparseLatents } from '../sae/sae.ts'
import { fakeConfig, sparseOf } from './fake.fixture.ts'

const size = 6

/** A model whose residual at a token is its one-hot vector. */
export function oneHotModel(): Model {
  return {
    config: fakeConfig({ width: size, vocabulary: size, context: 16 }),
    sites: [{ name: 'blocks.0.hook_resid_post', axes: ['batch', 'position', 'width'], size: [size] }],
    hash: 'one-hot-model',
    path: 'one-hot',
    weights: {},
    run: (tokens: Tensor2D, _options?: RunOptions): Tensor =>
      tf.tidy(() => tf.oneHot(tokens, size).cast('float32') as Tensor3D),
    unembedding: () => tf.eye(size) as Tensor2D,
    logitColumns: () => null,
    editedFrom: () => null,
    dispose() {},
  }
}

/** An SAE with a latent a token: latent t is the residual's coordinate t, except latent 5, which never fires. */
export function oneHotSae(): Sae {
  const encodeDense = (x: Tensor2D) => tf.tidy(() => x.mul(tf.tensor1d([1, 1, 1, 1, 1, 0])) as Tensor2D)
  return {
    architecture: 'one-hot',
    width: size,
    outputs: size,
    latents: size,
    config: {},
    metadata: { hook_name: 'blocks.0.hook_resid_post' },
    params: {},
    hash: 'one-hot-sae',
    encodeDense,
    encode: x => sparseOf(encodeDense(x)),
    decode: latents => tf.zeros([(latents as SparseLatents).rows, size]) as Tensor2D,
    reconstruct: x => x.clone(),
    decoder: () => tf.eye(size) as Tensor2D,
    dispose() {},
  }
}

/** Windows from rows of token ids; tokens 1 and 2 carry the concept `small`, and languages alternate. */
export function oneHotDataset(rows: readonly (readonly number[])[]): HeldDataset {
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
    name: 'one-hot',
    documents,
    windows,
    hash: 'one-hot-text',
    tokenizerHash: 'one-hot',
    concepts: ['language=en', 'language=fr', 'small'],
  }
}
