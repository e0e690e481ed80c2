/** A model from a Hugging Face config and weights that are already tensors: from a file, or variables in training. */
import { type Tensor, type Tensor2D, tf } from '../engine/tf.ts'
import type { Architecture } from './architecture.ts'
import { editedFrom } from './edits.ts'
import { architectureOf } from './families/index.ts'
import { linear } from './layers/linear.ts'
import type { Model } from './model.ts'
import { run } from './run.ts'
import { sitesOf } from './sites.ts'
import { matchWeights, tiedAndGiven, untied } from './weights.ts'

/**
 * The model of a Hugging Face config (its parsed JSON) with these weights, by their Hugging Face names with or without
 * prefix (`transformer.h.0.ln_1.weight` or `h.0.ln_1.weight`). Weights may be `tf.Variable`s: they are read at each
 * run, so training differentiates through it. A head apart is the head, also where the config says tied. Throws a `UserError` for weights that do not fit the config. `dispose`
 * disposes the weights.
 */
export function buildModel(
  hfConfig: unknown,
  weights: Readonly<Record<string, Tensor>>,
  info: { path: string; hash: string },
): Model {
  const given = new Map(Object.entries(weights).map(([name, tensor]) => [name, tensor.shape]))
  const described = architectureOf(hfConfig, `config of ${info.path}`, given)
  const architecture = tiedAndGiven(described, given) ? untied(described) : described
  const named: Record<string, Tensor> = {}
  for (const [name, found] of matchWeights(architecture, given, info.path)) named[name] = weights[found]!
  const sites = sitesOf(architecture)
  const order = new Map(sites.map(({ name }, index) => [name, index]))
  const runnable = { architecture, weights: named, sites, order }
  return {
    config: architecture.config,
    sites,
    hash: info.hash,
    path: info.path,
    weights: named,
    run: (tokens, options) => run(runnable, tokens, options),
    unembedding: () => unembedding(architecture, named),
    logitColumns: columns =>
      architecture.logitCap === null && architecture.unembeddingBias === null
        ? tf.tidy(() => {
            // As rows, each of which is what it is alone: columns may be kept and used with others.
            const rows = columns.mul(architecture.logitScale).transpose()
            return linear(rows, named[architecture.unembedding]!, null, 'in-out').transpose() as Tensor2D
          })
        : null,
    editedFrom: (site, value) => editedFrom(runnable, site, value),
    dispose: () => tf.dispose(Object.values(weights)),
  }
}

/** W_U [width, vocabulary] behind the final norm's gain and, for layer norms, its centring: C diag(gain) W_U · logitScale. */
function unembedding(
  { norm, finalNorm, unembedding, logitScale }: Architecture,
  weights: Record<string, Tensor>,
): Tensor2D {
  return tf.tidy(() => {
    const stored = finalNorm.gain ? weights[finalNorm.gain]! : tf.scalar(1)
    const gain = finalNorm.gain && norm.gainPlusOne ? stored.add(1) : stored
    const folded = weights[unembedding]!.mul(gain).mul(logitScale).transpose() as Tensor2D
    return norm.kind === 'layer' ? folded.sub(folded.mean(0, true)) : folded
  })
}
