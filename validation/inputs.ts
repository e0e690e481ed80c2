/** What the validate stage works on, held to what belongs together. */
import { UserError } from '../core/errors.ts'
import { mustKnow } from '../core/nearest.ts'
import { paced } from '../core/pace.ts'
import { quote } from '../core/quote.ts'
import type { TokenDataset } from '../datasets/document.ts'
import { fieldsOf } from '../datasets/fields.ts'
import type { Tokenizer } from '../datasets/tokenizer/index.ts'
import { mustHaveSite } from '../latents/site.ts'
import type { Model } from '../model/model.ts'
import { mustSpeakByLatent } from '../sae/by-latent.ts'
import type { Sae } from '../sae/sae.ts'
import type { StatedClaims } from './claims/claim-file.ts'
import type { ValidateConfig } from './config.ts'
import type { RavelEntities } from './ravel-files.ts'

/** Another SAE of the site, and what it is called in evidence. */
export interface Sibling {
  readonly name: string
  readonly sae: Sae
}

/** What `validate` works on. */
export interface ValidateInputs {
  readonly model: Model
  readonly sae: Sae
  readonly dataset: TokenDataset
  /** Other text, of the same tokenizer, that is out of distribution. */
  readonly outOfDistribution?: TokenDataset
  readonly config: ValidateConfig
  /** Other SAEs of the site, in the order of the setting. */
  readonly siblings?: readonly Sibling[]
  /** Reads text that a study changes; without it there are no typos. */
  readonly tokenizer?: Pick<Tokenizer, 'encodeAll' | 'decode'>
  /** Entities that the study ravel asks about; default: toyworld's people, where the text is toyworld's. */
  readonly ravel?: RavelEntities
  /** Claims that a file states; default: those that the settings make. */
  readonly stated?: StatedClaims
  /** Mean of the training rows at the site [width], from capture.json; default: that of discovery text. */
  readonly captureMean?: Float32Array
}

/**
 * Refuses concepts, strata, latents and widths that the inputs do not have. `stop` is called from time to time, and throws where
 * the work is to end.
 */
export async function checkInputs(
  { model, sae, dataset, config, stated, ravel, siblings = [] }: ValidateInputs,
  stop?: () => void,
): Promise<void> {
  checkPower(config)
  mustSpeakByLatent(sae, 'validate')
  checkSiblings(sae, siblings, config)
  const asksRavel = config.studies === 'all' || (Array.isArray(config.studies) && config.studies.includes('ravel'))
  if (asksRavel && !ravel && dataset.config?.path !== 'toyworld')
    throw new UserError('The study ravel asks about entities, and the text has no prompts about any.', {
      fix: 'Name a folder of RAVEL in measures.ravel, or name in studies those that are wanted without ravel.',
    })
  mustKnow(config.concepts ?? [], dataset.concepts, {
    key: 'concepts',
    what: `the dataset ${quote(dataset.name)} has no concept`,
  })
  const fields = await fieldsOf(dataset, stop)
  mustKnow(config.robustness ?? [], fields, {
    key: 'robustness',
    what: `no document of the dataset ${quote(dataset.name)} has a stratum`,
  })
  await mustKnowStrata('outOfDistribution.strata', config.outOfDistribution.strata ?? {}, { dataset, fields }, stop)
  if (sae.outputs !== sae.width)
    throw new UserError(`This SAE predicts ${sae.outputs} values from ${sae.width}: it has no place to be put back.`, {
      fix: 'Validate an SAE that reconstructs the site it reads.',
    })
  mustHaveSite(model, sae)
  if (stated) await checkStated(stated, { sae, dataset, config }, fields, stop)
  const missing = Array.isArray(config.latents) ? config.latents.find(latent => latent >= sae.latents) : undefined
  if (missing !== undefined)
    throw new UserError(`latents names ${missing}, but the SAE has ${sae.latents} latents.`, {
      fix: `Name latents from 0 to ${sae.latents - 1}.`,
    })
}

/** Why a power of α or less is none. */
const noPower = 'a test that looks at nothing has as much'

/** Refuses settings that ask for no more power than α. */
export function checkPower({ alpha, power }: Pick<ValidateConfig, 'alpha' | 'power'>): void {
  if (power <= alpha)
    throw new UserError(`power is ${power} and alpha is ${alpha}: ${noPower}.`, {
      fix: 'Set a larger power, such as 0.8, or a smaller alpha.',
    })
}

/** Refuses strata and values that no document has. */
async function mustKnowStrata(
  key: string,
  strata: Readonly<Record<string, readonly string[]>>,
  { dataset, fields }: { readonly dataset: TokenDataset; readonly fields: readonly string[] },
  stop: (() => void) | undefined,
): Promise<void> {
  const none = `no document of the dataset ${quote(dataset.name)} has a`
  mustKnow(Object.keys(strata), fields, { key, what: `${none} stratum` })
  for (const [field, values] of Object.entries(strata)) {
    const known = new Set<string>()
    for await (const { strata } of paced(dataset.documents, stop))
      if (strata[field] !== undefined) known.add(strata[field])
    mustKnow(values, [...known].sort(), { key: `${key}.${field}`, what: `${none} ${field}` })
  }
}

/** Refuses stated claims about another SAE, beside other latents, or that these settings do not measure. */
async function checkStated(
  { claims, sae: about }: StatedClaims,
  { sae, dataset, config }: Pick<ValidateInputs, 'sae' | 'dataset' | 'config'>,
  fields: readonly string[],
  stop: (() => void) | undefined,
): Promise<void> {
  if (about !== undefined && about !== sae.hash)
    throw new UserError('The file of claims is about another SAE than the one under test.', {
      fix: 'Use the SAE that the claims were written for, or write claims for this one.',
    })
  if (config.latents !== 'auto')
    throw new UserError('latents and claimsFile both say which latents are tested.', { fix: 'Leave latents out.' })
  for (const [i, claim] of claims.entries()) {
    const what = `Claim ${i + 1} of the file`
    const beyond = claim.latents.find(latent => latent >= sae.latents)
    if (beyond !== undefined)
      throw new UserError(`${what} names latent ${beyond}, but the SAE has ${sae.latents} latents.`, {
        fix: `Name latents from 0 to ${sae.latents - 1}.`,
      })
    if (claim.intervention !== undefined && claim.intervention !== config.primary)
      throw new UserError(`${what} rests on ${claim.intervention}, but primary is ${config.primary}.`, {
        fix: `Set primary to ${claim.intervention}; claims that rest on another intervention are for another run.`,
      })
    const { alpha = config.alpha, power = config.power } = claim
    if (power <= alpha)
      throw new UserError(`${what} asks for a power of ${power} at an alpha of ${alpha}: ${noPower}.`, {
        fix: 'State a larger power, such as 0.8, or a smaller alpha.',
      })
    const missing = claim.controls.find(kind => config.controls[kind] === 0)
    if (missing !== undefined)
      throw new UserError(`${what} wants to beat ${missing} controls, but controls.${missing} is 0.`, {
        fix: `Set controls.${missing} to 99 or more.`,
      })
    mustKnow(claim.concept === null ? [] : [claim.concept], config.concepts ?? dataset.concepts, {
      key: `${what} under concept`,
      what: `the dataset ${quote(dataset.name)} has no concept`,
    })
    await mustKnowStrata(`${what} under strata`, claim.strata, { dataset, fields }, stop)
  }
}

/** Refuses siblings that are of another site or width, and the study of them where there are none. */
function checkSiblings(sae: Sae, siblings: readonly Sibling[], { studies }: ValidateConfig): void {
  if (siblings.length === 0 && Array.isArray(studies) && studies.includes('siblings'))
    throw new UserError('studies names siblings, but the setting siblings names no SAE.', {
      fix: 'Name other SAEs of the same site in siblings.',
    })
  const known = new Map<string, string>()
  for (const { name, sae: other } of siblings) {
    const before = known.get(other.hash)
    if (before !== undefined)
      throw new UserError(
        `The siblings ${quote(before)} and ${quote(name)} are the same SAE, which would count twice.`,
        {
          fix: 'Name each SAE once.',
        },
      )
    known.set(other.hash, name)
    mustSpeakByLatent(other, 'validate')
    const [own, site] = [sae.metadata.hook_name, other.metadata.hook_name]
    if (own !== site || other.width !== sae.width || other.outputs !== sae.outputs)
      throw new UserError(
        `The sibling ${quote(name)} is of ${quote(String(site))}, ${other.width} wide, but the SAE under test of ${quote(String(own))}, ${sae.width} wide.`,
        { fix: 'Name SAEs that were trained on the same site of the same model.' },
      )
    if (other.hash === sae.hash)
      throw new UserError(`The sibling ${quote(name)} is the SAE under test itself.`, {
        fix: 'Name SAEs that were trained with other seeds.',
      })
  }
}
