/** What the validate stage works on, held to what belongs together. */
import { UserError } from '../core/errors.ts'
import { mustKnow } from '../core/nearest.ts'
import { quote } from '../core/quote.ts'
import type { TokenDataset } from '../datasets/document.ts'
import type { Tokenizer } from '../datasets/tokenizer/index.ts'
import type { Model } from '../model/model.ts'
import { mustSpeakByLatent } from '../sae/by-latent.ts'
import type { Sae } from '../sae/sae.ts'
import type { ValidateConfig } from './config.ts'

/** What `validate` works on. */
export interface ValidateInputs {
  readonly model: Model
  readonly sae: Sae
  readonly dataset: TokenDataset
  /** Other text, of the same tokenizer, that is out of distribution. */
  readonly outOfDistribution?: TokenDataset
  readonly config: ValidateConfig
  /** Reads text that a study changes; without it there are no typos. */
  readonly tokenizer?: Pick<Tokenizer, 'encodeAll' | 'decode'>
  /** Mean of the training rows at the site [width], from capture.json; default: that of discovery text. */
  readonly captureMean?: Float32Array
}

/** Refuses concepts, strata, latents and widths that the inputs do not have. */
export function checkInputs({ model, sae, dataset, config }: ValidateInputs): void {
  mustSpeakByLatent(sae, 'validate')
  mustKnow(config.concepts ?? [], dataset.concepts, {
    key: 'concepts',
    what: `the dataset ${quote(dataset.name)} has no concept`,
  })
  const fields = [...new Set(dataset.documents.flatMap(({ strata }) => Object.keys(strata)))].sort()
  mustKnow(config.robustness ?? [], fields, {
    key: 'robustness',
    what: `no document of the dataset ${quote(dataset.name)} has a stratum`,
  })
  checkHeldOut(config, dataset, fields)
  if (sae.outputs !== sae.width)
    throw new UserError(`This SAE predicts ${sae.outputs} values from ${sae.width}: it has no place to be put back.`, {
      fix: 'Validate an SAE that reconstructs the site it reads.',
    })
  const site = model.sites.find(({ name }) => name === sae.metadata.hook_name)
  const width = site?.size.reduce((product, size) => product * size, 1)
  if (site && width !== sae.width)
    throw new UserError(`The SAE is ${sae.width} wide, but the model's ${site.name} is ${width} wide.`, {
      fix: 'Use the model that the SAE was trained on.',
    })
  const missing = Array.isArray(config.latents) ? config.latents.find(latent => latent >= sae.latents) : undefined
  if (missing !== undefined)
    throw new UserError(`latents names ${missing}, but the SAE has ${sae.latents} latents.`, {
      fix: `Name latents from 0 to ${sae.latents - 1}.`,
    })
}

/** Refuses strata of out-of-distribution text that no document has. */
function checkHeldOut({ outOfDistribution }: ValidateConfig, dataset: TokenDataset, fields: readonly string[]): void {
  const strata = Object.entries(outOfDistribution.strata ?? {})
  mustKnow(
    strata.map(([field]) => field),
    fields,
    { key: 'outOfDistribution.strata', what: `no document of the dataset ${quote(dataset.name)} has a stratum` },
  )
  for (const [field, values] of strata) {
    const known = new Set(dataset.documents.flatMap(({ strata }) => strata[field] ?? []))
    mustKnow(values, [...known].sort(), {
      key: `outOfDistribution.strata.${field}`,
      what: `no document of the dataset ${quote(dataset.name)} has a ${field}`,
    })
  }
}
