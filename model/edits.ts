/**
 * Edits of one document from a residual on, in one op a batch (`engine/ops/edited-pass.ts`), for the families whose blocks it knows:
 * norms, attention and one hidden layer one after the other, with or without biases, gates, rotation and shared keys.
 */
import { residualOf } from '../core/sites.ts'
import { onHost } from '../engine/host.ts'
import {
  type CleanValues,
  cleanPass,
  editedPass,
  type PassBlock,
  type PassBlocks,
  type PassDocument,
  type PassLayer,
  type PassNorm,
  passesHere,
} from '../engine/ops/edited-pass.ts'
import { logitChanges } from '../engine/ops/logit-changes.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import type { BlockArchitecture, LinearNames, NormNames } from './architecture.ts'
import { type Activation, geluForm } from './layers/activation.ts'
import { linear } from './layers/linear.ts'
import { type Rotary, rotaryTable } from './layers/rotary.ts'
import type { DocumentPass } from './model.ts'
import type { Runnable } from './run.ts'

/** Numbers of all weights behind a site, and of the head, up to which they are packed for each batch (128 MiB). */
const mostWeights = 2 ** 25

/** `Model.editedFrom`. */
export function editedFrom(model: Runnable, site: string, value: Tensor3D): DocumentPass | null {
  const start = residualOf(site)
  if (!start || !passesHere()) return null
  const { config, logitCap, logitScale, unembedding, unembeddingBias } = model.architecture
  const layers = model.architecture.blocks.slice(start.layer + (start.side === 'post' ? 1 : 0))
  const parts = partsOf(model, layers)
  const head = model.weights[unembedding] as Tensor2D
  if (!parts || logitCap !== null || unembeddingBias !== null || sizeOf(parts) + head.size > mostWeights) return null
  const [, positions] = value.shape
  const held = onHost(() => {
    const x = value.reshape([positions, config.width]).clone() as Tensor2D
    const rotary = layers[0]?.rotary
    const document = { x, rotation: rotary ? rotaryTable(rotary, config.headDim, positions) : null }
    const kept = { ...document, ...cleanPass(parts, document) }
    for (const tensor of tensorsOf(kept)) tf.keep(tensor)
    return kept
  })
  let made: Tensor2D | undefined
  // Predictions of the document as it is.
  const probabilities = () => {
    made ??= tf.tidy(() => tf.keep(linear(held.last, head, null, 'out-in').mul(logitScale).softmax() as Tensor2D))
    return made
  }
  const tensors = () => [...tensorsOf(held), ...(made ? [made] : [])]
  return {
    bytes: () => tensors().reduce((sum, { size }) => sum + 4 * size, 0),
    edited: edits => editedPass(parts, held, edits),
    predictions: (changes, rows) =>
      logitChanges(changes, { ...rows, probabilities: probabilities(), weight: head, scale: logitScale }),
    dispose: () => tf.dispose(tensors()),
  }
}

function tensorsOf({ x, rotation, queries, kv, last }: PassDocument & CleanValues): Tensor[] {
  return [x, queries, kv, last, ...(rotation ? [rotation.cos, rotation.sin] : [])]
}

/** The blocks as the op takes them; undefined where one of them has something that it does not know. */
function partsOf({ architecture, weights }: Runnable, layers: readonly BlockArchitecture[]): PassBlocks | undefined {
  const { config, norm, activation, parallel, residualScale, scoreCap, alibi, finalNorm } = architecture
  if (parallel || residualScale !== 1 || scoreCap !== null || alibi || norm.gainPlusOne) return undefined
  const normOf = ({ gain, bias }: NormNames): PassNorm => ({
    gain: gain ? weights[gain]! : null,
    bias: bias ? weights[bias]! : null,
  })
  const layouts = new Set<LinearNames['layout']>()
  const layerOf = ({ weight, bias, layout }: LinearNames): PassLayer => {
    layouts.add(layout)
    return { weight: weights[weight] as Tensor2D, bias: bias ? weights[bias]! : null }
  }
  const blocks: PassBlock[] = []
  for (const block of layers) {
    const { ln1, ln2, projection, output, mlp, scale } = block
    if (!ln1 || !ln2 || !isPlain(block) || projection.form === 'by group' || mlp.form !== 'neurons') return undefined
    blocks.push({
      ...{ before: normOf(ln1), middle: normOf(ln2) },
      ...(projection.form === 'separate'
        ? { q: layerOf(projection.q), k: layerOf(projection.k), v: layerOf(projection.v) }
        : { q: layerOf(projection.qkv), k: null, v: null }),
      ...{
        out: layerOf(output),
        gate: mlp.gate ? layerOf(mlp.gate) : null,
        up: layerOf(mlp.in),
        down: layerOf(mlp.out),
      },
      scale,
    })
  }
  const rotary = rotaryOf(layers)
  if (rotary === undefined || layouts.size > 1) return undefined
  return {
    blocks,
    last: normOf(finalNorm),
    norm,
    layout: [...layouts][0] ?? 'in-out',
    activation: activationOf(activation),
    heads: config.heads,
    kvHeads: config.kvHeads,
    headDim: config.headDim,
    rotary: rotary && { size: rotary.size, pairs: rotary.pairs },
  }
}

/** Numbers of all weights of the blocks. */
function sizeOf({ blocks }: PassBlocks): number {
  const layers = blocks.flatMap(({ q, k, v, out, gate, up, down }) => [q, k, v, out, gate, up, down])
  return layers.reduce((sum, layer) => sum + (layer?.weight.size ?? 0), 0)
}

/** Whether attention of a block is a softmax over all positions up to its own, and nothing stands behind it or the MLP. */
function isPlain({ ln1Post, ln2Post, clip, qNorm, kNorm, window, sinks }: BlockArchitecture): boolean {
  return [ln1Post, ln2Post, clip, qNorm, kNorm, window, sinks].every(part => part === null)
}

/** How all blocks rotate; undefined where they do not alike. */
function rotaryOf(layers: readonly BlockArchitecture[]): Rotary | null | undefined {
  const all = new Set(layers.map(({ rotary }) => rotary))
  return all.size > 1 ? undefined : ([...all][0] ?? null)
}

function activationOf(name: Activation): PassBlocks['activation'] {
  return geluForm(name) ?? (name === 'silu' ? 'silu' : 'relu')
}
