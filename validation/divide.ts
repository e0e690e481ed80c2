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
  const stop = () => throwIfInterrupted(context.signal)
  await checkInputs(given, stop)
  const pause = () => breathe().then(stop)
  const { dataset, windows } = await splitText(given, context.seed, stop)
  const inputs = { ...given, dataset }
  const planned = planLatents(inputs, await readText(context, inputs, windows))
  const { material, plans } = planned
  const benchOf = (working: Working) => ({ context, inputs, material, plans, working, pause })
  const units: readonly { readonly name: string; work(working: Working): Promise<unknown> }[] = [
    {
      name: 'reconstruction',
      work: working => working.part('reconstruction', () => reconstruct(context, inputs, windows.discovery)),
    },
    // Longest first, so that processes end together: a study of the SAE may take as long as many latents.
    ...askedSaeStudies(inputs.config).map(name => ({
      name: `study-${name}`,
      work: (working: Working) => measureSaeStudies(benchOf(working), [name]),
    })),
    ...plans.map(plan => ({
      name: `latent-${plan.claim.feature}`,
      async work(working: Working) {
        await testLatents(context, { material, plans: [plan] }, working)
        await measureLatentStudies({ ...benchOf(working), plans: [plan] })
      },
    })),
  ]
  return {
    names: units.map(({ name }) => name),
    async work(unit: number, directory: string): Promise<void> {
      await pause()
      const working = new Working(directory)
      try {
        await units[unit]!.work(working)
      } finally {
        await working.settled()
      }
    },
  }
}
