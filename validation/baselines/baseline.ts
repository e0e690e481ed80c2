/**
 * What a baseline is: an SAE that learned less than the one under test, or nothing, and is put to the same test. Claims of it
 * that pass say how much of the verdicts' number anything of this shape would get (2602.14111, 2501.17727).
 */
import type { StageContext } from '../../core/stage.ts'
import type { TokenWindow } from '../../datasets/document.ts'
import type { SiteValues } from '../../latents/projections.ts'
import type { Model } from '../../model/model.ts'
import type { Sae } from '../../sae/sae.ts'
import type { Material } from '../claims/plan.ts'

/** What baselines may draw on. */
export interface BaselineSource {
  readonly context: StageContext
  /** The SAE under test, its model and its text. */
  readonly material: Material
  /** Mean of the site's values on discovery text [width], and those values less it. */
  readonly centre: Float32Array
  readonly values: SiteValues
  /** Text to train on, which no claim is chosen or tested on. */
  readonly training: readonly TokenWindow[]
  /** Tokens that a baseline learns from, repeats counted. */
  readonly tokens: number
  /** Which of several draws. */
  readonly repetition: number
}

/** An SAE to be put to the test; `dispose` frees what was made for it. */
export interface MadeBaseline {
  readonly sae: Sae
  /** The model that it reads; default: that of the SAE under test. */
  readonly model?: Model
  /** Whether its latents fire exactly as those of the SAE under test do. */
  readonly firesAlike?: boolean
  dispose(): void
}

/** One kind of baseline. A new one is one file here, its name in contracts/baselines.ts, and one line in the index. */
export interface Baseline {
  /** What it is, after "ahead of". */
  readonly text: string
  /** Whether it is made where settings name none: those that need no training. */
  readonly byDefault: boolean
  /** Whether draws differ, so that several say more than one. */
  readonly drawn: boolean
  make(source: BaselineSource): Promise<MadeBaseline>
}
