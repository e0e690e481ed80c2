/**
 * A validation in units that processes of their own can do: reconstruction, each latent with its studies, and each study of
 * the SAE. What is chosen and claimed follows from the text that each process reads for itself.
 */
import { breathe, type StageContext } from '../core/stage.ts'
import { Working } from '../core/working.ts'
import { throwIfInterrupted } from '../latents/activations.ts'
import { checkInputs, type ValidateInputs } from './inputs.ts'
import { readText } from './read-text.ts'
import { reconstruct } from './reconstruct.ts'
import { splitText } from './splits.ts'
import { askedSaeStudies, measureLatentStudies, measureSaeStudies } from './studies/run.ts'
import { planLatents, testLatents } from './test-latents.ts'

/** The units by name, and what does one of them, leaving its finished parts in a directory. */
export async function divideValidation(context: StageContext, given: ValidateInputs) {
  checkInputs(given)
  const pause = async () => {
    await breathe()
    throwIfInterrupted(context.signal)
  }
  const { dataset, windows } = await splitText(given, context.seed, pause)
  const inputs = { ...given, dataset }
  const planned = planLatents(inputs, await readText(context, inputs, windows))
  const { material, plans } = planned
  const benchOf = (directory: string) => ({ context, inputs, material, plans, working: new Working(directory), pause })
  const units: readonly { readonly name: string; work(directory: string): Promise<unknown> }[] = [
    {
      name: 'reconstruction',
      work: directory =>
        new Working(directory).part('reconstruction', () => reconstruct(context, inputs, windows.discovery)),
    },
    // Longest first, so that processes end together: a study of the SAE may take as long as many latents.
    ...askedSaeStudies(inputs.config).map(name => ({
      name: `study-${name}`,
      work: (directory: string) => measureSaeStudies(benchOf(directory), [name]),
    })),
    ...plans.map(plan => ({
      name: `latent-${plan.claim.feature}`,
      async work(directory: string) {
        await testLatents(context, { material, plans: [plan] }, new Working(directory))
        await measureLatentStudies({ ...benchOf(directory), plans: [plan] })
      },
    })),
  ]
  return {
    names: units.map(({ name }) => name),
    async work(unit: number, directory: string): Promise<void> {
      await pause()
      await units[unit]!.work(directory)
    },
  }
}
