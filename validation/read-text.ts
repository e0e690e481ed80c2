/** Encodes and labels the text of a validation: what its claims are chosen on, and what they are tested on. */
import type { StageContext } from '../core/stage.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { drawWindows } from '../datasets/draw.ts'
import { unitOf } from '../datasets/unit.ts'
import { onHost } from '../engine/host.ts'
import { type Activations, encodeWindows, measuredDraw } from '../latents/activations.ts'
import { readLabelledText, sampleRows } from './claims/labelled-text.ts'
import type { Material } from './claims/plan.ts'
import type { ValidateInputs } from './inputs.ts'
import type { SplitWindows } from './splits.ts'

/** What the splits say, before latents are chosen. */
export type ReadText = Omit<Material, 'tied' | 'claims'>

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
  const discovery = await encode(context, inputs, windows.discovery, 'discovery')
  const validation = await encode(context, inputs, windows.validation, 'validation')
  const outOfDistribution =
    windows.outOfDistribution.length > 0
      ? await encode(context, inputs, windows.outOfDistribution, 'out-of-distribution')
      : null
  const trains = dataset.windows.some(({ split }) => split === 'train')
  const counted = trains
    ? drawWindows(dataset, { ...measuredDraw, split: 'train', seed, tokens: targetTokens })
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
    unitOf: remembered(window => unitOf(dataset, window)),
    samples:
      config.controls.covariance > 0 ? sampleRows(model, site, sae.width, windows.discovery, seed) : new Float32Array(),
  }
}

async function encode(
  { progress, signal }: StageContext,
  { model, sae, config }: ValidateInputs,
  windows: readonly TokenWindow[],
  split: string,
): Promise<Activations> {
  progress.start(`Encoding ${split} text`, windows.length, 'windows')
  const activations = await encodeWindows(model, sae, windows, {
    batchTokens: config.batchTokens,
    signal,
    onBatch: done => progress.update(done),
  })
  progress.finish()
  return activations
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
