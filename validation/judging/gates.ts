/** Gates: thresholds that a run must meet, and the exit code that follows. */

import type { Reconstruction } from '../../latents/reconstruction.ts'
import type { ValidateConfig } from '../config.ts'
import type { FeatureEvidence, Gate } from '../evidence.ts'

/** The configured gates with their outcome. */
export function judgeGates(
  { gates }: Pick<ValidateConfig, 'gates'>,
  features: readonly FeatureEvidence[],
  reconstruction: Pick<Reconstruction, 'fvu' | 'ceRecoveredMean'>,
): Gate[] {
  const found: Gate[] = []
  const count = (verdict: string) => features.filter(feature => feature.verdict === verdict).length
  if (gates.minimumPassed !== undefined) {
    const passed = count('pass')
    const possible = passed + count('inconclusive')
    const status = passed >= gates.minimumPassed ? 'pass' : possible >= gates.minimumPassed ? 'inconclusive' : 'fail'
    found.push({ name: 'minimumPassed', status, value: passed, threshold: gates.minimumPassed })
  }
  const judge = (
    name: string,
    value: number | null,
    threshold: number | undefined,
    holds: (value: number) => boolean,
  ) => {
    if (threshold === undefined) return
    found.push({ name, status: value === null ? 'inconclusive' : holds(value) ? 'pass' : 'fail', value, threshold })
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

/** Exit code of a run with these gates: 2 where one failed, else 3 where one is inconclusive, else 0. */
export function gatesExitCode(summary: Readonly<Record<string, unknown>>): number {
  const gates = (summary.gates ?? []) as readonly Gate[]
  if (gates.some(({ status }) => status === 'fail')) return 2
  return gates.some(({ status }) => status === 'inconclusive') ? 3 : 0
}
