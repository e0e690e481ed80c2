/**
 * Rows of unusual norm, by Tukey's outer fences: beyond the quartiles by three interquartile ranges. Norms are counted in
 * 2,048 bins an octave, so that quartiles are right to .02 percent in memory that does not grow with the rows (2.5 MB a site).
 */
import type { SiteAudit } from '../../datasets/shards/audit.ts'

const binsPerOctave = 2048
const octaves = 300
const middle = (binsPerOctave * octaves) / 2
/** How many outliers are listed. */
const most = 10

type Place = SiteAudit['outliers']['largest'][number]

/** Collects norms; `result` gives fences and what lies beyond. */
export class NormFences {
  private readonly bins = new Uint32Array(binsPerOctave * octaves)
  private rows = 0
  private readonly largest: Place[] = []

  /** Adds a row; `placeOf` is called only for norms that may be listed. */
  add(norm: number, placeOf: () => Omit<Place, 'norm'>): void {
    this.bins[this.binOf(norm)]!++
    this.rows++
    if (this.largest.length === most && norm <= this.largest[most - 1]!.norm) return
    this.largest.push({ ...placeOf(), norm })
    this.largest.sort((a, b) => b.norm - a.norm)
    if (this.largest.length > most) this.largest.pop()
  }

  result(): SiteAudit['outliers'] {
    const [first, third] = [this.quantile(0.25), this.quantile(0.75)]
    // Norms that are all alike may lie on both sides of the border of two bins: so near none is unusual.
    const range = Math.max(third - first, third * (2 ** (1 / binsPerOctave) - 1))
    const low = Math.max(0, first - 3 * range)
    const high = third + 3 * range
    let beyond = 0
    for (let bin = 0; bin < this.bins.length; bin++) {
      const count = this.bins[bin]!
      if (count === 0) continue
      const norm = this.normOf(bin)
      if (norm < low || norm > high) beyond += count
    }
    return { low, high, rows: beyond, largest: this.largest.filter(({ norm }) => norm > high) }
  }

  private binOf(norm: number): number {
    if (norm === 0) return 0
    const bin = Math.round(Math.log2(norm) * binsPerOctave) + middle
    return Math.min(this.bins.length - 1, Math.max(1, bin))
  }

  /** The norm that stands for a bin. */
  private normOf(bin: number): number {
    return bin === 0 ? 0 : 2 ** ((bin - middle) / binsPerOctave)
  }

  private quantile(share: number): number {
    let left = share * this.rows
    for (let bin = 0; bin < this.bins.length; bin++) {
      const count = this.bins[bin]!
      left -= count
      if (left <= 0 && count > 0) return this.normOf(bin)
    }
    return 0
  }
}
