/** What labels are made from, and what must hold of it. */
import { mustKnow } from '../core/nearest.ts'
import { quote } from '../core/quote.ts'
import type { TokenDataset } from '../datasets/document.ts'
import type { Tokenizer } from '../datasets/tokenizer/index.ts'
import { mustHaveSite } from '../latents/site.ts'
import type { Model } from '../model/model.ts'
import { mustSpeakByLatent } from '../sae/by-latent.ts'
import type { Sae } from '../sae/sae.ts'
import { type Evidence, evidenceByLatent } from '../validation/evidence.ts'
import { mustBelong } from './belongs.ts'
import type { LabelConfig } from './config.ts'
import type { Feature } from './feature.ts'

/** Evidence to join, and what messages call it and what it is about. */
export interface JoinedEvidence {
  readonly evidence: Evidence
  readonly name?: string
  readonly names?: Partial<Record<'sae' | 'model' | 'dataset', string>>
}

/** What labels are made from. */
export interface DescribeInputs {
  readonly model: Model
  readonly sae: Sae
  readonly dataset: TokenDataset
  readonly tokenizer: Pick<Tokenizer, 'token' | 'vocabulary'>
  readonly evidence?: JoinedEvidence | undefined
  /** |cosine| of each latent with its partner in another SAE, null without one. */
  readonly stability?: readonly (number | null)[] | undefined
  readonly config: LabelConfig
  /** What messages call the SAE, model and text. */
  readonly names?: JoinedEvidence['names']
}

/** What follows from the inputs for every latent. */
export interface Given {
  readonly hashes: Feature['hashes']
  /** Concepts that are tried as labels. */
  readonly concepts: readonly string[]
  readonly evidence: ReadonlyMap<number, NonNullable<Feature['evidence']>>
}

/** Throws a `UserError` for evidence about another SAE, model or text, and for concepts that the dataset does not have. */
export function checkInputs({ model, sae, dataset, config, evidence, names = {} }: DescribeInputs): Given {
  mustSpeakByLatent(sae, 'label')
  mustHaveSite(model, sae)
  const hashes = { sae: sae.hash, model: model.hash, dataset: dataset.hash }
  if (evidence) {
    const what = `the evidence${evidence.name === undefined ? '' : ` of ${evidence.name}`}`
    const theirs = { what, hashes: evidence.evidence.hashes, names: evidence.names ?? {} }
    mustBelong(theirs, { what: 'what is to be labelled', hashes, names })
  }
  const concepts = config.concepts ?? dataset.concepts
  mustKnow(concepts, dataset.concepts, { key: 'concepts', what: `the dataset ${quote(dataset.name)} has no concept` })
  return { hashes, concepts, evidence: evidence ? evidenceByLatent(evidence.evidence) : new Map() }
}
