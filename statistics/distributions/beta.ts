/** Quantiles of the beta distribution, for exact intervals of proportions. */
import { checkNumber } from '../check.ts'
import { incompleteBeta } from './student.ts'

/** The p-quantile of the beta distribution with a, b > 0: by bisection of I_x(a, b), which rises in x. */
export function betaQuantile(p: number, a: number, b: number): number {
  checkNumber('p', p, 0, 1)
  checkNumber('a', a, Number.MIN_VALUE)
  checkNumber('b', b, Number.MIN_VALUE)
  if (p === 0 || p === 1) return p
  let low = 0
  let high = 1
  for (let i = 0; i < 1100; i++) {
    const middle = (low + high) / 2
    if (middle <= low || middle >= high) break
    if (incompleteBeta(middle, a, b) < p) low = middle
    else high = middle
  }
  return (low + high) / 2
}
