/** The heart of a validation: chooses latents, writes their claims, and measures them. Any SAE can be put to it. */
import { UserError } from '../core/errors.ts'
import type { StageContext } from '../core/stage.ts'
import type { Working } from '../core/working.ts'
import { chooseLatents } from './claims/choose.ts'
import { statedFor } from './claims/claim-file.ts'
import { type LatentPlan, type Material, planLatent } from './claims/plan.ts'
import { tiedSource } from './claims/tied.ts'
import { tiedControlCount } from './config.ts'
import type { ValidateInputs } from './inputs.ts'
import { measureAll, type TiedRounds } from './measure-all.ts'
import type { ReadText } from './read-text.ts'
import type { Measured } from './rows.ts'

/** Latents with their claims, fixed before anything is measured. */
export interface Planned {
  readonly material: Material
  readonly plans: readonly LatentPlan[]
}

/** Chooses latents on discovery text and fixes their claims; a `UserError` where none can be tested. */
export function planLatents({ stated, config }: ValidateInputs, { siteValues, ...read }: ReadText): Planned {
  const chosen = chooseLatents(
    stated ? stated.claims.flatMap(({ latents }) => latents) : config.latents,
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
  const count = tiedControlCount(config.controls.tied, chosen.length, config.alpha)
  const material = { ...read, claims: chosen.length, tied: tiedSource(read.sae, siteValues, count) }
  return {
    material,
    plans: chosen.map(candidate => planLatent(material, candidate, statedFor(stated, candidate.latent))),
  }
}

/** Measures what was planned; `rounds` of tied controls that were measured before are not measured again. */
export function testLatents(
  context: StageContext,
  { material, plans }: Planned,
  working: Working,
  rounds?: TiedRounds,
): Promise<Measured[]> {
  return measureAll(context, material, plans, working, rounds)
}
