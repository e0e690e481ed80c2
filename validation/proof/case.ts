/** What a case of the proof is: something planted, whose verdicts are known before anything is measured. */
import type { TokenDataset } from '../../datasets/document.ts'
import type { Model } from '../../model/model.ts'
import type { Sae } from '../../sae/sae.ts'
import type { World } from './world.ts'

/** What stands in for the world's own; what is not given stays. `dispose` frees what was made. */
export interface Planted {
  readonly model?: Model
  readonly sae?: Sae
  readonly dataset?: TokenDataset
  /** Settings of the validation beside the world's. */
  readonly settings?: Readonly<Record<string, unknown>>
  dispose(): void
}

/** Something of which no claim is true. A new one is one file in nulls/ and one line in its index. */
export interface Null {
  /** What it is, in a few words. */
  readonly text: string
  /** Whether it is kept from being supported by another part of the rule than p, which may be too small. */
  readonly byRule?: true
  /** Undefined where the world has nothing to make it of. */
  make(world: World, seed: number): Promise<Planted | undefined>
}
