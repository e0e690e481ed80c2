/**
 * Fused training steps: the same steps as `step.ts` takes, made by the ops of `engine/ops/sae`. A variant is one file here
 * and one line below.
 */
import { canUpdate } from '../../../engine/ops/sae/update.ts'
import type { Architecture } from '../../architecture.ts'
import type { Stepper, StepSettings } from '../step.ts'
import { BatchTopkStepper } from './batchtopk.ts'
import { CrosscoderStepper, fitsCrosscoder } from './crosscoder.ts'
import { fitsEntries } from './entries.ts'
import { GatedStepper } from './gated.ts'
import { fitsJump, JumpStepper } from './jumprelu.ts'
import { fitsMatryoshka, MatryoshkaStepper } from './matryoshka.ts'
import type { StepperParts } from './owned.ts'
import { PAnnealStepper, StandardStepper } from './relu.ts'
import { fitsTopk, TopkStepper } from './topk.ts'
import { SkipTranscoderStepper } from './transcoder.ts'

/** A kind of fused step, and the settings for which it computes what the plain step does. */
interface Variant {
  readonly Stepper: new (parts: StepperParts) => Stepper
  fits(config: Record<string, unknown>, settings: StepSettings): boolean
}

/** By the architecture's name. */
const variants: Readonly<Record<string, Variant>> = {
  topk: { Stepper: TopkStepper, fits: fitsTopk },
  batchtopk: { Stepper: BatchTopkStepper, fits: fitsTopk },
  matryoshka: { Stepper: MatryoshkaStepper, fits: fitsMatryoshka },
  jumprelu: { Stepper: JumpStepper, fits: fitsJump },
  gated: { Stepper: GatedStepper, fits: fitsEntries },
  standard: { Stepper: StandardStepper, fits: fitsEntries },
  'p-anneal': { Stepper: PAnnealStepper, fits: fitsEntries },
  transcoder: { Stepper: TopkStepper, fits: fitsTopk },
  'skip-transcoder': { Stepper: SkipTranscoderStepper, fits: fitsTopk },
  crosscoder: { Stepper: CrosscoderStepper, fits: fitsCrosscoder },
}

/** The fused stepper that computes what these settings ask for; undefined where there is none, or its ops are absent. */
export function fusedStepper(
  architecture: Architecture,
  config: Record<string, unknown>,
  settings: StepSettings,
): Variant['Stepper'] | undefined {
  const variant = variants[architecture.name]
  return variant && canUpdate() && variant.fits(config, settings) ? variant.Stepper : undefined
}
