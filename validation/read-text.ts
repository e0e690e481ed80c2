/** Encodes and labels the text of a validation: what its claims are chosen on, and what they are tested on. */
import { hasAny } from '../core/sequence.ts'
import type { StageContext } from '../core/stage.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { drawWindows } from '../datasets/draw.ts'
import { unitOf } from '../datasets/unit.ts'
import { onHost } from '../engine/host.ts'
import { type EncodeWindowsOptions, encodeWindows, measuredDraw, throwIfInterrupted } from '../latents/activations.ts'
import { encodeWithValues } from '../latents/projections.ts'
import { readLabelledText, sampleRows } from './claims/labelled-text.ts'
import type { Material } from './claims/plan.ts'
import { inputCentre, type TiedSource } from './claims/tied.ts'
import type { ValidateConfig } from './config.ts'
import type { ValidateInputs } from './inputs.ts'
import type { SplitWindows } from './splits.ts'

/** What the splits say, before latents are chosen, and the values at the site that it is said of. */
export interface ReadText extends Omit<Material, 'tied' | 'claims'> {
  /** Less what the SAE subtracts from them. */
  readonly siteValues: Pick<TiedSource, 'discovery' | 'validation'>
}

/** Tokens of training text in which targets are counted. */
const targetTokens = 200_000

/** Encodes and labels all splits. */
export async function readText(
  context: StageContext,
  inputs: ValidateInputs,
  windows: SplitWindows,
): Promise<ReadText> {
  const { model, sae, dataset, config } = inputs
  const { seed } = context
  const centre = inputCentre(sae)
  const withValues = (options: EncodeWindowsOptions, own: readonly TokenWindow[]) =>
    encodeWithValues(model, sae, own, centre, options)
  const found = {
    discovery: await encode(context, config, windows.discovery, 'discovery', withValues),
    validation: await encode(context, config, windows.validation, 'validation', withValues),
  }
  const [discovery, validation] = [found.discovery.activations, found.validation.activations]
  const outOfDistribution =
    windows.outOfDistribution.length > 0
      ? await encode(context, config, windows.outOfDistribution, 'out-of-distribution', (options, own) =>
          encodeWindows(model, sae, own, options),
        )
      : null
  const stop = () => throwIfInterrupted(context.signal)
  const trains = await hasAny(dataset.windows, ({ split }) => split === 'train', stop)
  const counted = trains
    ? await drawWindows(dataset, { ...measuredDraw, split: 'train', seed, tokens: targetTokens }, stop)
    : windows.discovery
  const decoder = onHost(() => sae.decoder().dataSync<'float32'>() as Float32Array)
  const site = sae.metadata.hook_name
  return {
    model,
    sae,
    config,
    seed,
    text: readLabelledText(dataset, config, counted, model.config.vocabulary, {
      discovery,
      validation,
      outOfDistribution,
    }),
    discovery,
    validation,
    outOfDistribution,
    decoder,
    siteValues: { discovery: found.discovery.values, validation: found.validation.values },
    unitOf: remembered(window => unitOf(dataset, window)),
    samples:
      config.controls.covariance > 0 ? sampleRows(model, site, sae.width, windows.discovery, seed) : new Float32Array(),
  }
}

async function encode<T>(
  { progress, signal }: StageContext,
  { batchTokens }: Pick<ValidateConfig, 'batchTokens'>,
  windows: readonly TokenWindow[],
  split: string,
  read: (options: EncodeWindowsOptions, windows: readonly TokenWindow[]) => Promise<T>,
): Promise<T> {
  progress.start(`Encoding ${split} text`, windows.length, 'windows')
  const found = await read({ batchTokens, signal, onBatch: done => progress.update(done) }, windows)
  progress.finish()
  return found
}

/** Asks once for each window: it is asked for every control. */
function remembered(of: (window: TokenWindow) => string): (window: TokenWindow) => string {
  const known = new Map<TokenWindow, string>()
  return window => {
    const found = known.get(window) ?? of(window)
    known.set(window, found)
    return found
  }
}
