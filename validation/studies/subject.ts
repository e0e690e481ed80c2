/** What most studies start from: a latent's direction and numbers, and edits of a window that are measured and held to be finite. */
import { UserError } from '../../core/errors.ts'
import { quote } from '../../core/quote.ts'
import type { TokenWindow } from '../../datasets/document.ts'
import { onHost } from '../../engine/host.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { type DocumentEdits, type EditEffect, measureEdits } from '../../latents/interventions.ts'
import type { LatentPlan, Material } from '../claims/plan.ts'
import { fewestDocuments } from '../rows.ts'

/** A latent's decoder row. */
export function directionOf({ decoder, sae }: Material, latent: number): Float32Array {
  return decoder.slice(latent * sae.width, (latent + 1) * sae.width)
}

/** Rows of equal width as a bank of directions; the caller disposes it. */
export function bankOf(rows: readonly Float32Array[]): Tensor2D {
  const width = rows[0]!.length
  const values = new Float32Array(rows.length * width)
  rows.forEach((row, i) => {
    values.set(row, i * width)
  })
  return tf.tensor2d(values, [rows.length, width])
}

/**
 * Whether there is anything to measure: enough documents in which the latent is active, an activation to go by, and a direction. A
 * decoder row of zeros has none: what the main test says of it (no effect) is all there is to say.
 */
export function isTested(material: Material, { claim }: LatentPlan): boolean {
  if (claim.documents.ablate.length < fewestDocuments || !(claim.discovery.unit > 0)) return false
  return directionOf(material, claim.feature).some(value => value !== 0)
}

/** The effects of edits on a window; a `UserError` where one of them is no number. */
export function effectsOf(
  { model, sae, config }: Material,
  latent: number,
  request: Omit<DocumentEdits, 'batchTokens'>,
): EditEffect[] {
  const effects = measureEdits(model, sae.metadata.hook_name, { ...request, batchTokens: config.batchTokens })
  for (const { norm, target, loss, kl, targets = [] } of effects)
    if (![norm, target, loss, kl, ...targets].every(Number.isFinite))
      throw new UserError(
        `Editing latent ${latent} in ${quote(request.window.id)} gives predictions that are not finite.`,
        {
          fix: 'Check the weights of model and SAE for NaN and infinity, or take smaller strengths.',
        },
      )
  return effects
}

/** The target Σ_v w_v · log p_v at every position of a window as it is, for weights that sum to zero. */
export function targetIn({ model }: Material, window: TokenWindow, weights: Float32Array): Float32Array {
  return onHost(() => {
    const tokens = tf.tensor2d(window.tokens, [1, window.tokens.length], 'int32')
    const logits = model.run(tokens).reshape([window.tokens.length, weights.length])
    // The normaliser is taken off all the same: float32 weights sum to zero only nearly.
    const logProbabilities = logits.logSoftmax() as Tensor2D
    return logProbabilities.matMul(tf.tensor2d(weights, [weights.length, 1])).dataSync<'float32'>() as Float32Array
  })
}

/** A direction of a bank that stands for the latent, or for one of its controls at equal norm. */
export interface BankRow {
  readonly control: 'feature' | 'random' | 'foreign' | 'tied'
  readonly controlId: number | null
}

/** As few controls of a kind as can show a rank at level alpha: of K the smallest p is 1 / (K + 1). */
export const fewestControls = (alpha: number) => Math.ceil(1 / alpha - 1e-9) - 1

/**
 * The latent's direction, or another that stands for it, and the first of its random and foreign controls, scaled to its length;
 * the caller disposes the bank.
 */
export function controlledBank(
  material: Material,
  { claim, controls }: LatentPlan,
  own: Float32Array = directionOf(material, claim.feature),
): { bank: Tensor2D; rows: BankRow[] } {
  const norm = Math.hypot(...own)
  const rows: BankRow[] = [{ control: 'feature', controlId: null }]
  const directions = [own]
  for (const control of ['random', 'foreign'] as const) {
    const drawn = controls[control]
    const count = Math.min(drawn?.ids.length ?? 0, fewestControls(material.config.alpha))
    for (let i = 0; i < count; i++) {
      rows.push({ control, controlId: drawn!.ids[i]! })
      directions.push(drawn!.directions.slice(i * own.length, (i + 1) * own.length).map(x => x * norm))
    }
  }
  return { bank: bankOf(directions), rows }
}
