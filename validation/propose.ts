/** Claims as the settings would make them, from discovery text: nothing is measured. */
import type { StageContext } from '../core/stage.ts'
import { throwIfInterrupted } from '../latents/activations.ts'
import type { Claim } from './evidence.ts'
import { checkInputs, type ValidateInputs } from './inputs.ts'
import { readText } from './read-text.ts'
import { splitText } from './splits.ts'
import { planLatents } from './test-latents.ts'

/** The claims that a validation with these settings and this seed would write first. */
export async function proposeClaims(context: StageContext, given: ValidateInputs): Promise<Claim[]> {
  const stop = () => throwIfInterrupted(context.signal)
  await checkInputs(given, stop)
  const { dataset, windows } = await splitText(given, context.seed, stop)
  const inputs = { ...given, dataset }
  const { plans } = planLatents(inputs, await readText(context, inputs, windows))
  return plans.map(({ claim }) => claim)
}
