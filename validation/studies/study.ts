/**
 * What a study is: one more question put to tested latents, or to the SAE as a whole, with raw values of its own.
 *
 * Measuring and judging are apart, as they are for the main test: `measure` gives rows, which are kept in a table named after
 * the study; `judge` makes of rows alone what stands in evidence.json, so that anybody can make it again without the model.
 */
import type { StageContext } from '../../core/stage.ts'
import type { Working } from '../../core/working.ts'
import type { LatentPlan, Material } from '../claims/plan.ts'
import type { ValidateConfig } from '../config.ts'
import type { Claim, FeatureEvidence } from '../evidence.ts'
import type { ValidateInputs } from '../inputs.ts'
import type { AssembleSettings } from '../judging/assemble.ts'
import type { EffectRow } from '../rows.ts'
import type { RowColumns } from '../tables.ts'

/** A raw value of a study. */
export type Cell = number | string | null | readonly number[] | readonly string[]
export type StudyRow = Readonly<Record<string, Cell>>

/** What a study may use while it measures. */
export interface StudyContext {
  readonly context: StageContext
  readonly inputs: ValidateInputs
  readonly material: Material
  readonly plans: readonly LatentPlan[]
  /** Keeps finished parts of long work, so that a cut run goes on behind them. */
  readonly working: Working
  /** Lets signals in; throws where the run was interrupted. To be called between pieces of work. */
  pause(): Promise<void>
}

/** A tested latent, as a study judges it. */
export interface TestedLatent<Row> {
  readonly claim: Claim
  /** What the study measured of it. */
  readonly rows: readonly Row[]
  /** What the main test measured of it, and made of that. */
  readonly effects: readonly EffectRow[]
  readonly evidence: FeatureEvidence
}

/** What studies judge by, beside what the main test is judged by. */
export type StudySettings = AssembleSettings & Pick<ValidateConfig, 'offTargetMargin' | 'klCap'>

interface StudyOf {
  /** Its name in settings, evidence and the name of its table. */
  readonly name: string
  /** The question that it answers, for reports. */
  readonly question: string
  /** Whether it is done where settings name no studies. */
  readonly byDefault: boolean
  /** What each number of its evidence means. */
  readonly definitions: Readonly<Record<string, string>>
  /** Columns of its rows; none where it measures nothing of its own. */
  readonly columns: RowColumns
}

/** A question put to each tested latent. A new one is one file here, its evidence in contracts/, and one line in the index. */
export interface LatentStudy<Row extends StudyRow = StudyRow, Found = unknown> extends StudyOf {
  /** Rows of one latent, without its number, which the table adds as `feature`. */
  measure(bench: StudyContext, plan: LatentPlan): Promise<readonly Row[]>
  /** What stands in evidence, a latent at a time in the order given: all are seen at once, since they are one family of tests. */
  judge(tested: readonly TestedLatent<Row>[], settings: StudySettings): readonly (Found | null)[]
}

/** A question put to the SAE, or the run as a whole. */
export interface SaeStudy<Row extends StudyRow = StudyRow, Found = unknown> extends StudyOf {
  measure(bench: StudyContext): Promise<readonly Row[]>
  judge(
    rows: readonly Row[],
    tested: readonly Omit<TestedLatent<never>, 'rows'>[],
    settings: StudySettings,
  ): Found | null
}

/** Types a study of latents; nothing else. */
export function latentStudy<Row extends StudyRow, Found>(study: LatentStudy<Row, Found>): LatentStudy<Row, Found> {
  return study
}

/** Types a study of the SAE; nothing else. */
export function saeStudy<Row extends StudyRow, Found>(study: SaeStudy<Row, Found>): SaeStudy<Row, Found> {
  return study
}
