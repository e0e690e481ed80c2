/** From answers to scores. What could not be read is no answer: it is counted, and neither right nor wrong. */
import { Random } from '../../core/random.ts'
import { cohenKappa } from '../../statistics/association/kappa.ts'
import { pearson } from '../../statistics/descriptive.ts'
import { clusterBootstrap, fewestClusters } from '../../statistics/intervals/cluster-bootstrap.ts'
import { newcombe } from '../../statistics/intervals/newcombe.ts'
import type { AnswerRow } from '../answers.ts'
import type { Agreement, BinaryScore, SimulationScore } from '../explanation.ts'

/**
 * Balanced accuracy of yes and no. With d the difference of the rates of yes among positives and negatives it is (1 + d) / 2,
 * so that its interval is Newcombe's interval of d, moved.
 */
export function binaryScore(rows: readonly AnswerRow[]): BinaryScore {
  const answered = rows.filter(({ answer }) => answer !== null)
  const [yes, no] = [answered.filter(({ truth }) => truth), answered.filter(({ truth }) => !truth)]
  const right = (some: readonly AnswerRow[]) => some.filter(({ truth, answer }) => truth === answer).length
  const hard = no.filter(({ group }) => group === 'silent-same-token')
  const [hits, rejections] = [right(yes), right(no)]
  const d = yes.length > 0 && no.length > 0 ? newcombe(hits, yes.length, no.length - rejections, no.length) : undefined
  const moved = (value: number) => Math.min(1, Math.max(0, (1 + value) / 2))
  return {
    value: d ? moved(d.estimate) : null,
    low: d ? moved(d.low) : null,
    high: d ? moved(d.high) : null,
    ...{ positives: yes.length, hits, negatives: no.length, rejections },
    ...{ hardNegatives: hard.length, hardRejections: right(hard), unanswered: rows.length - answered.length },
  }
}

/** Correlation of simulated with true activations over all tokens; its interval resamples whole examples. */
export function simulationScore(rows: readonly AnswerRow[], seed: number): SimulationScore {
  const answered = rows.filter(({ simulated }) => simulated !== null)
  const over = (sample: ArrayLike<number>) => {
    const some = Array.from(sample, i => answered[i]!)
    const r = pearson(
      some.flatMap(({ simulated }) => simulated!),
      some.flatMap(({ activations }) => activations),
    )
    return Number.isFinite(r) ? Math.min(1, Math.max(-1, r)) : null
  }
  const unanswered = rows.length - answered.length
  const none = { low: null, high: null, examples: answered.length, unanswered }
  if (answered.length === 0) return { value: null, ...none }
  const value = over([...answered.keys()])
  if (value === null || answered.length < fewestClusters.percentile) return { value, ...none }
  const random = new Random(seed, 'simulation', rows[0]!.latent)
  const { low, high } = clusterBootstrap(answered.length, over, { method: 'percentile', random, draws: 1000 })
  return { value, low, high, examples: answered.length, unanswered }
}

/** Share of the activation in positives that was recognised, of that in all that were answered; null without any. */
export function coverageOf(rows: readonly AnswerRow[]): number | null {
  let [found, all] = [0, 0]
  for (const { truth, answer, activations } of rows) {
    if (!truth || answer === null) continue
    const mass = activations.reduce((sum, value) => sum + value, 0)
    all += mass
    if (answer) found += mass
  }
  return all > 0 ? Math.min(1, found / all) : null
}

/** Agreement of two judges on examples that both answered. */
export function agreementOf(rows: readonly AnswerRow[], others: readonly AnswerRow[], name: string): Agreement {
  const theirs = new Map(others.map(row => [exampleKey(row), row.answer]))
  const pairs = rows.flatMap(row => {
    const other = theirs.get(exampleKey(row))
    return row.answer === null || other === undefined || other === null ? [] : [[row.answer, other] as const]
  })
  const { kappa, low, high } = cohenKappa(pairs)
  return { with: name, kappa, low, high, examples: pairs.length }
}

/** What tells an example from all others of its score. */
export const exampleKey = ({ latent, window, position }: Pick<AnswerRow, 'latent' | 'window' | 'position'>): string =>
  JSON.stringify([latent, window, position])
