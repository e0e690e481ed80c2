/** Nelder and Mead's simplex search (1965): a minimum of a function of few numbers, without derivatives. */

export interface Minimum {
  readonly place: readonly number[]
  readonly value: number
}

/** Searches from `start` with a simplex of edge `size` until it is 10⁻¹⁰ wide, for at most 2,000 steps. */
export function nelderMead(f: (place: readonly number[]) => number, start: readonly number[], size: number): Minimum {
  const at = (place: readonly number[]): Minimum => ({ place, value: f(place) })
  const simplex = [at(start), ...start.map((_, axis) => at(start.map((v, i) => (i === axis ? v + size : v))))]
  const last = start.length
  for (let step = 0; step < 2000; step++) {
    simplex.sort((a, b) => a.value - b.value)
    const best = simplex[0]!
    const worst = simplex[last]!
    if (simplex.every(({ place }) => place.every((v, i) => Math.abs(v - best.place[i]!) < 1e-10))) break
    const centre = start.map((_, i) => simplex.slice(0, last).reduce((sum, { place }) => sum + place[i]! / last, 0))
    const along = (t: number) => at(centre.map((v, i) => v + t * (worst.place[i]! - v)))
    const reflected = along(-1)
    if (reflected.value < best.value) {
      const expanded = along(-2)
      simplex[last] = expanded.value < reflected.value ? expanded : reflected
    } else if (reflected.value < simplex[last - 1]!.value) {
      simplex[last] = reflected
    } else {
      const contracted = reflected.value < worst.value ? along(-0.5) : along(0.5)
      if (contracted.value < Math.min(worst.value, reflected.value)) simplex[last] = contracted
      else for (let i = 1; i <= last; i++) simplex[i] = at(simplex[i]!.place.map((v, j) => (v + best.place[j]!) / 2))
    }
  }
  return simplex.sort((a, b) => a.value - b.value)[0]!
}
