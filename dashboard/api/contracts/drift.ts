/** Drift: what `pipeline runs drift` found of two runs, and kept as a run. */
import { z } from 'zod'
import { Drift } from '../../../runs/drift.ts'
import { pageEnd, pageOf, reads } from '../contract.ts'

export const drift = reads({
  name: 'drift',
  path: '/api/drift',
  summary:
    'Whether two runs are of one distribution, as `pipeline runs drift` found: cells by site and stratum or by latent, the least likely by chance first',
  query: z.strictObject({
    base: z.string().describe('The run that was compared with'),
    now: z.string().describe('The other run, of the same kind'),
    run: z.string().optional().describe('The drift run, where several compare these two (default: the newest)'),
    ...pageOf(5000, 200),
  }),
  answer: z.strictObject({
    /** The drift run that holds all this, and every one that compares these two as they are now, newest first. */
    run: z.string(),
    runs: z.array(z.string()),
    base: z.string(),
    now: z.string(),
    ...Drift.omit({ schema: true, a: true, b: true }).shape,
    ...pageEnd,
  }),
})
