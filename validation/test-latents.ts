/** The heart of a validation: chooses latents, writes their claims, and measures them. Any SAE can be put to it. */
import { UserError } from '../core/errors.ts'
import type { StageContext } from '../core/stage.ts'
import type { Working } from '../core/working.ts'
import { chooseLatents } from './claims/choose.ts'
import { statedFor } from './claims/claim-file.ts'
import { type LatentPlan, type Material, planLatent } from './claims/plan.ts'
import { readTiedSource } from './claims/tied.ts'
import { tiedControlCount } from './config.ts'
import type { ValidateInputs } from './inputs.ts'
import { measureAll } from './measure-all.ts'
import type { ReadText } from './read-text.ts'
import type { Measured } from './rows.ts'

/** Latents with their claims, fixed before anything is measured. */
export interface Planned {
  readonly material: Material
  readonly plans: readonly LatentPlan[]
}

/** Chooses latents on discovery text and fixes their claims; a `UserError` where none can be tested. */
export async function planLatents(context: StageContext, inputs: ValidateInputs, read: ReadText): Promise<Planned> {
  const { stated } = inputs
  const chosen = chooseLatents(
    stated ? stated.claims.flatMap(({ latents }) => latents) : inputs.config.latents,
    read.text.candidates,
    read.discovery,
    read.text.discoveryLabels,
    read.text.aurocs,
  )
  const { discovery } = read
  if (chosen.length === 0 && discovery.value.length === 0)
    throw new UserError(
      `None of the SAE's ${discovery.latents} latents is active at any of the ${discovery.tokens} tokens of discovery text.`,
      { fix: 'Check that this is an SAE of this model and site, and that it was trained to its end.' },
    )
  if (chosen.length === 0)
    throw new UserError('No latent is active in enough discovery documents to be tested.', {
      fix: 'Use more text (dataset.documents, tokens), or name latents.',
    })
  const material = { ...read, claims: chosen.length, tied: await tiedOf(context, inputs, read, chosen.length) }
  return {
    material,
    plans: chosen.map(candidate => planLatent(material, candidate, statedFor(stated, candidate.latent))),
  }
}

/** Measures what was planned. */
export function testLatents(
  context: StageContext,
  { material, plans }: Planned,
  working: Working,
): Promise<Measured[]> {
  return measureAll(context, material, plans, working)
}

/** What tied controls are drawn from. */
async function tiedOf(
  { progress, signal }: StageContext,
  { model, sae, config }: ValidateInputs,
  { discovery, validation }: Pick<Material, 'discovery' | 'validation'>,
  claims: number,
): Promise<Material['tied']> {
  const splits = { discovery: discovery.windows, validation: validation.windows }
  const count = tiedControlCount(config.controls.tied, claims, config.alpha)
  progress.start(
    'Reading the site for random directions',
    splits.discovery.length + splits.validation.length,
    'windows',
  )
  const onBatch = (done: number) => progress.update(done)
  const tied = await readTiedSource(model, sae, splits, count, { batchTokens: config.batchTokens, signal, onBatch })
  progress.finish()
  return tied
}
