/** What the figures of runs are: those of training in metrics.jsonl, and those of manifests by the same names. */
import type { ColumnOrigin } from '../origin.ts'

const figureDefinitions: Readonly<Record<string, string>> = {
  loss: 'the whole loss of a batch that the step lowers, as the architecture defines it',
  fvu: 'Σ‖x − x̂‖² / Σ‖x − x̄‖²: variance unexplained; in training of the batch, in validation of held-out text',
  l0: 'latents that are not 0, a token, on average',
  dead: 'latents that did not fire for as many tokens as the settings call long',
  ceRecovered: '(CE with the site replaced by its mean − CE with x̂) / (that − CE of the model), cross-entropy in nats',
  ceRecoveredZero: 'the same against the site replaced by zeros',
  ceRecoveredMean: 'the same against the site replaced by its mean, on held-out text',
  learningRate: 'learning rate of the step',
  gradientNorm: 'norm of the gradient over all weights, before it is clipped',
  inQuestion: 'share of rows × latents whose products screening could not rule out',
  densityHistogram: 'latents by half a decade of the share of tokens at which they fire',
  latents: 'latents of the SAE; in validation those that were tested',
  tokens: 'tokens that were read',
  passed: 'claims that passed beyond every kind of control',
}

/** A figure by its name, and the keys at which it stands. */
export const figureOrigin = (name: string, path = name): ColumnOrigin => ({
  definition: figureDefinitions[name],
  path,
})
