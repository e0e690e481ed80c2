/**
 * Inputs for the comparison with other libraries: `docs/statistics_reference.py` draws the same from the same generator
 * (mulberry32), so that only its values are stored. Every tenth case is of one kind: bell-shaped, skewed, many zeros,
 * ties, equal values, a large offset, a tiny scale, few large values. Every seventh is as small as it may be.
 */
export class Draw {
  private state: number
  readonly case: number

  constructor(name: string, place: number) {
    this.case = place
    let seed = 0
    for (let i = 0; i < name.length; i++) seed = (Math.imul(seed, 31) + name.charCodeAt(i)) >>> 0
    this.state = (seed + Math.imul(place, 0x9e3779b9)) >>> 0
  }

  uniform(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  int(n: number): number {
    return Math.floor(this.uniform() * n)
  }

  bell(): number {
    let total = -6
    for (let i = 0; i < 12; i++) total += this.uniform()
    return total
  }

  size(least: number, most: number): number {
    const extra = this.int(most - least + 1)
    return this.case % 7 === 0 ? least : least + extra
  }

  sample(least: number, most: number): number[] {
    return this.values(this.size(least, most))
  }

  values(n: number): number[] {
    return Array.from({ length: n }, () => this.value(this.case % 10))
  }

  labels(n: number): number[] {
    return Array.from({ length: n }, () => (this.uniform() < 0.4 ? 1 : 0))
  }

  codes(n: number, k: number): number[] {
    return Array.from({ length: n }, () => this.int(k))
  }

  private value(kind: number): number {
    if (kind <= 2) return this.bell()
    if (kind === 3) {
      const u = this.uniform()
      return u * u * u * 10
    }
    if (kind === 5) return this.int(5)
    if (kind === 6) return 2.5
    if (kind === 7) return 1000000 + this.bell()
    if (kind === 8) return 0.000001 * this.bell()
    const [u, v] = [this.uniform(), this.uniform()]
    if (kind === 4) return u < 0.6 ? 0 : v * 5
    return u < 0.15 ? 10 + v : v * 0.1
  }
}
