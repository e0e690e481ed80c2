/**
 * Cohen's κ (1960) of two judges who say yes or no: agreement beyond chance, κ = (p_o − p_e) / (1 − p_e). Its interval is
 * κ ± z·SE with the large-sample error of Fleiss, Cohen and Everitt (1969, eq. 13).
 */
import { checkBetween } from '../check.ts'
import { normalQuantile } from '../distributions/normal.ts'

export interface Kappa {
  /** Null where there are no pairs, and where chance alone would agree always. */
  readonly kappa: number | null
  readonly low: number | null
  readonly high: number | null
}

/** κ of pairs of answers; bounds are null where κ is. */
export function cohenKappa(pairs: readonly (readonly [boolean, boolean])[], level = 0.95): Kappa {
  checkBetween('level', level, 0, 1)
  const n = pairs.length
  const share = (a: boolean, b: boolean) => pairs.filter(pair => pair[0] === a && pair[1] === b).length / n
  const p = [
    [share(false, false), share(false, true)],
    [share(true, false), share(true, true)],
  ] as const
  const rows = p.map(([a, b]) => a + b)
  const columns = [p[0][0] + p[1][0], p[0][1] + p[1][1]]
  const chance = rows[0]! * columns[0]! + rows[1]! * columns[1]!
  if (n === 0 || chance >= 1) return { kappa: null, low: null, high: null }
  const kappa = (p[0][0] + p[1][1] - chance) / (1 - chance)
  let sum = 0
  for (const i of [0, 1] as const)
    for (const j of [0, 1] as const)
      sum +=
        i === j
          ? p[i][i] * (1 - (rows[i]! + columns[i]!) * (1 - kappa)) ** 2
          : p[i][j] * (1 - kappa) ** 2 * (columns[i]! + rows[j]!) ** 2
  const error = Math.sqrt(Math.max(0, sum - (kappa - chance * (1 - kappa)) ** 2) / n) / (1 - chance)
  const half = normalQuantile(1 - (1 - level) / 2) * error
  return { kappa, low: Math.max(-1, kappa - half), high: Math.min(1, kappa + half) }
}
