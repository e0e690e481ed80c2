/** What the study `robustness` says of a latent: its effect and AUROC on the same documents changed in one way each. */
import { z } from 'zod'
import { numberOrNull as number, Ratio } from './common.ts'

const Shifted = z.strictObject({
  shift: z.string(),
  documents: z.int(),
  /** Documents in which the latent still fires. */
  active: z.int(),
  /** Effect on the target less the mean control's, as claimed, nats. */
  difference: number,
  low: number,
  high: number,
  /** Share of the same documents' difference as they are; null where that may be 0. */
  ratio: Ratio.nullable(),
  kept: z.enum(['yes', 'no', 'unclear']),
  auroc: number,
  /** (AUROC − ½) as a share of that of the same windows as they are. */
  aurocRatio: Ratio.nullable(),
})

export const Robustness = z.strictObject({
  control: z.string(),
  controls: z.int(),
  /** As they are: difference as claimed, and AUROC where a concept is claimed. */
  asIs: z.strictObject({ difference: z.number(), low: number, high: number, auroc: number }),
  shifts: z.array(Shifted),
  /** The shift that leaves the smallest share, where any share is known. */
  worst: z.string().nullable(),
})
export type Robustness = z.infer<typeof Robustness>
