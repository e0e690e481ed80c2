/** What the SAE keeps of its site, on discovery and validation text together. */
import type { StageContext } from '../core/stage.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { drawWindows } from '../datasets/draw.ts'
import { measuredDraw } from '../latents/activations.ts'
import { measureReconstruction, type Reconstruction, siteMean } from '../latents/reconstruction.ts'
import type { ValidateInputs } from './inputs.ts'

/** A reconstruction as its working file and evidence hold it: typed arrays as lists. */
export type SavedReconstruction = Omit<Reconstruction, 'density'> & { readonly density: readonly number[] }

/** Measures reconstruction; ablations put the mean of the capture in place, or that of discovery text. */
export async function reconstruct(
  { progress, signal, seed }: StageContext,
  { model, sae, dataset, config, captureMean }: ValidateInputs,
  discoveryWindows: readonly TokenWindow[],
): Promise<SavedReconstruction> {
  const half = Math.ceil(config.maxTokens / 2)
  const windows = (['discovery', 'validation'] as const).flatMap(split =>
    drawWindows(dataset, { ...measuredDraw, split, seed, tokens: half }),
  )
  progress.start('Measuring reconstruction', windows.length, 'windows')
  const options = { batchTokens: config.batchTokens, signal, onBatch: (done: number) => progress.update(done) }
  const mean =
    captureMean ??
    (await siteMean(model, sae.metadata.hook_name, discoveryWindows, { batchTokens: config.batchTokens, signal }))
  const meanFrom = captureMean ? 'capture' : 'discovery'
  const found = await measureReconstruction(model, sae, windows, { ...options, mean, meanFrom })
  progress.finish()
  return { ...found, density: Array.from(found.density) }
}
