/**
 * What an SAE in training does to its model's loss: the figures of `reconstruction.ts` that need the model, on a few
 * discovery windows which are the same for every SAE, so that curves can be compared.
 */
import { UserError } from '../core/errors.ts'
import type { TokenDataset } from '../datasets/document.ts'
import { type Draw, drawWindows } from '../datasets/draw.ts'
import type { Model } from '../model/model.ts'
import type { Sae } from '../sae/sae.ts'
import type { FidelityProbe } from '../sae/training/training.ts'
import { measuredDraw, throwIfInterrupted } from './activations.ts'
import { measureReconstruction } from './reconstruction.ts'
import type { Ablations } from './reconstruction-rows.ts'

/** Padded tokens run through the model at once. */
const batchTokens = 4096

/** The windows do not depend on a run's seed: each SAE of a grid has to meet the same ones. */
const windowSeed = 0

export interface FidelityOptions {
  readonly site: string
  readonly windows: number
  /** Mean activation at the site [width], for mean ablation. */
  readonly mean: Float32Array
  readonly signal: AbortSignal
}

/**
 * Gives a probe for SAEs at a site. Its figures: `ceLoss`, `ceRecovered` against mean ablation, `ceRecoveredZero` against
 * zero ablation, and `klDivergence` from the model as it is. The ablations are measured once.
 */
export async function fidelityProbe(
  model: Model,
  dataset: TokenDataset,
  options: FidelityOptions,
): Promise<FidelityProbe> {
  const { site, mean, signal } = options
  const found = model.sites.find(({ name }) => name === site)
  const width = found?.size.reduce((product, size) => product * size, 1)
  if (width !== mean.length)
    throw new UserError(
      found
        ? `The activations are ${mean.length} wide, but the site ${site} of the model for fidelity is ${width} wide.`
        : `The model for fidelity has no site ${site}.`,
      { fix: 'Name the model that the activations were captured from.' },
    )
  const draw: Draw = { ...measuredDraw, split: 'discovery', seed: windowSeed, windows: options.windows }
  const windows = await drawWindows(dataset, draw, () => throwIfInterrupted(signal))
  let ablations: Ablations | undefined
  return {
    async measure(sae: Sae) {
      const result = await measureReconstruction(model, sae, windows, {
        mean,
        meanFrom: 'capture',
        batchTokens,
        signal,
        ablations,
      })
      const { ceZero, ceMean, ceResample, klZero, klMean, klResample } = result
      ablations ??= { ceZero, ceMean, ceResample, klZero, klMean, klResample }
      return {
        ceLoss: result.ceSpliced,
        ceRecovered: result.ceRecoveredMean,
        ceRecoveredZero: result.ceRecoveredZero,
        klDivergence: result.klSpliced,
      }
    },
  }
}
