/** Which gates a time did not pass, in words: a notice that says that one failed, and not which, sends its reader to a terminal. */
import type { Gate } from '../../core/gate.ts'
import { figure, words } from '../../core/text.ts'

/** A run as `pipeline run` tells of it, as far as gates go. */
export interface Gated {
  readonly run: string
  readonly gates?: readonly Gate[]
}

/** The gates that failed or could not be decided, with their runs; undefined where all passed. */
export function gateProblem(runs: readonly Gated[]): string | undefined {
  const problems = runs.flatMap(({ run, gates = [] }) =>
    gates
      .filter(({ status }) => status !== 'pass')
      .map(({ name, status, value, threshold }) => {
        const bound = `${name.startsWith('maximum') ? 'at most' : 'at least'} ${figure(threshold)}`
        return `gate ${words(name)} of ${run} ${status === 'fail' ? 'failed' : 'is undecided'} (${value === null ? 'no value' : figure(value)}, ${bound})`
      }),
  )
  return problems.length > 0 ? problems.join('; ') : undefined
}
