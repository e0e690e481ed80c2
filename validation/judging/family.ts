/** q-values over a family in which some tests were not run. */
import { benjaminiHochberg } from '../../statistics/multiplicity/false-discovery.ts'

/** Benjamini and Hochberg's q over the tests that were run; those that were not stay null and are not of the family. */
export function familyQ(p: readonly (number | null)[]): { q: (number | null)[]; size: number } {
  const run = p.flatMap((value, i) => (value === null ? [] : [{ value, i }]))
  const q = new Array<number | null>(p.length).fill(null)
  benjaminiHochberg(run.map(({ value }) => value)).forEach((value, k) => {
    q[run[k]!.i] = value
  })
  return { q, size: run.length }
}
