/** What the study `baselines` says: the share of claims that pass, beside that of SAEs which learned less or nothing. */
import { z } from 'zod'
import { numberOrNull as number } from './common.ts'

/** Every baseline that settings may name. */
export const baselineNames = [
  'random',
  'shuffled-decoder',
  'pca',
  'frozen-decoder',
  'frozen-encoder',
  'untrained-model',
] as const
export type BaselineName = (typeof baselineNames)[number]

/** `yes` where the interval of the difference lies above zero, `no` where it lies below an advantage of a tenth. */
const Ahead = z.enum(['yes', 'no', 'undecided'])

const Share = { claims: z.int(), passed: z.int(), share: number }

/** Share of the SAE under test less this one; Newcombe's interval, with claims as units. */
const Difference = { difference: number, low: number, high: number, ahead: Ahead }

export const BaselinesFindings = z.strictObject({
  /**
   * Whether the SAE under test is ahead: `no` where it is of a single baseline; `yes` where it is of all together and no share of a
   * single one is level or better. And what is to be said of that first.
   */
  ahead: Ahead,
  summary: z.string(),
  /** The SAE under test. */
  trained: z.strictObject(Share),
  /** Claims of all baselines. */
  together: z.strictObject({ ...Share, ...Difference }),
  baselines: z.array(
    z.strictObject({
      name: z.enum(baselineNames),
      text: z.string(),
      ...Share,
      /** Each draw by itself. */
      repetitions: z.array(z.strictObject({ claims: z.int(), passed: z.int() })),
      ...Difference,
    }),
  ),
})
export type BaselinesFindings = z.infer<typeof BaselinesFindings>
