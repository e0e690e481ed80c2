/** Gates: thresholds that finished evidence is held to. They change nothing in it. */
import { z } from 'zod'

import type { Evidence } from '../evidence.ts'

export const GatesConfig = z
  .strictObject({
    minimumPassed: z.int().min(0).optional().describe('Latents that must pass'),
    maximumFvu: z.number().min(0).optional().describe('Largest fraction of variance unexplained'),
    minimumCeRecovered: z.number().max(1).optional().describe('Smallest CE recovered against mean ablation'),
  })
  .prefault({})
  .describe('Thresholds that set the exit code: 2 where one fails, 3 where one cannot be decided')
export type GatesConfig = z.output<typeof GatesConfig>

/** A gate and what came of it. */
export interface Gate {
  readonly name: string
  readonly status: 'pass' | 'fail' | 'inconclusive'
  /** Null where there is no value, which leaves the gate undecided. */
  readonly value: number | null
  readonly threshold: number
}

/** The configured gates with their outcome. */
export function judgeGates(
  gates: GatesConfig,
  { features, reconstruction }: Pick<Evidence, 'features' | 'reconstruction'>,
): Gate[] {
  const found: Gate[] = []
  const count = (verdict: string) => features.filter(feature => feature.verdict === verdict).length
  if (gates.minimumPassed !== undefined) {
    const passed = count('pass')
    const possible = passed + count('inconclusive')
    const status = passed >= gates.minimumPassed ? 'pass' : possible >= gates.minimumPassed ? 'inconclusive' : 'fail'
    found.push({ name: 'minimumPassed', status, value: passed, threshold: gates.minimumPassed })
  }
  const judge = (name: string, value: unknown, threshold: number | undefined, holds: (value: number) => boolean) => {
    if (threshold === undefined) return
    if (typeof value !== 'number') found.push({ name, status: 'inconclusive', value: null, threshold })
    else found.push({ name, status: holds(value) ? 'pass' : 'fail', value, threshold })
  }
  judge('maximumFvu', reconstruction.fvu, gates.maximumFvu, value => value <= gates.maximumFvu!)
  judge(
    'minimumCeRecovered',
    reconstruction.ceRecoveredMean,
    gates.minimumCeRecovered,
    value => value >= gates.minimumCeRecovered!,
  )
  return found
}
