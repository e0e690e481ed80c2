/** What proofs are made on: a model, its text and a trained SAE, whose truth is known or can be asked. */
import type { TokenDataset } from '../../datasets/document.ts'
import type { Model } from '../../model/model.ts'
import type { Sae } from '../../sae/sae.ts'

/** A model with weights that mean nothing, and an SAE of what is at its site. */
export interface UntrainedModel {
  readonly model: Model
  readonly sae: Sae
  dispose(): void
}

export interface World {
  readonly name: 'made' | 'toyworld'
  readonly model: Model
  readonly dataset: TokenDataset
  /** The trained SAE. */
  readonly sae: Sae
  /** An SAE trained at another site of the model; undefined where there is none. */
  readonly otherSite: Sae | undefined
  /** Settings of a validation that suit the world's size. */
  readonly settings: Readonly<Record<string, unknown>>
  untrainedModel(seed: number): Promise<UntrainedModel>
  dispose(): Promise<void>
}
