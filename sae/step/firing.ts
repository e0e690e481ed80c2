/** Which latents fire while an SAE learns, and since when the others have not. */

const saturation = 2 ** 31 - 1

/** A ledger of firing for each latent of an SAE in training. */
export class Firing {
  /** Rows since each latent last fired, saturating. */
  readonly silent: Int32Array
  /** How often each latent fired in the steps that were counted. */
  readonly fired: Int32Array
  /** How often each latent fired since `forget`, and on how many rows. */
  readonly recent: { readonly counts: Int32Array; rows: number }
  private readonly deadAfter: number

  /** A latent that did not fire for `deadAfter` rows is dead. */
  constructor(latents: number, deadAfter: number) {
    this.silent = new Int32Array(latents)
    this.fired = new Int32Array(latents)
    this.recent = { counts: new Int32Array(latents), rows: 0 }
    this.deadAfter = deadAfter
  }

  /** Takes note of how often each latent fired in a batch of that many rows; `count` adds it to `fired`. */
  add(counts: ArrayLike<number>, rows: number, count: boolean): void {
    this.recent.rows += rows
    for (let i = 0; i < counts.length; i++) {
      this.recent.counts[i]! += counts[i]!
      this.silent[i] = counts[i]! > 0 ? 0 : Math.min(saturation, this.silent[i]! + rows)
      if (count) this.fired[i]! += counts[i]!
    }
  }

  /** Begins to count `recent` anew. */
  forget(): void {
    this.recent.counts.fill(0)
    this.recent.rows = 0
  }

  /** Number of latents that are dead now. */
  get dead(): number {
    let count = 0
    for (const rows of this.silent) if (rows >= this.deadAfter) count++
    return count
  }

  /** The latents that are dead now, ascending. */
  deadLatents(): Int32Array {
    const dead: number[] = []
    for (const [i, rows] of this.silent.entries()) if (rows >= this.deadAfter) dead.push(i)
    return Int32Array.from(dead)
  }

  /** 1 for a latent that is dead now, else 0. */
  deadMask(): Float32Array {
    return Float32Array.from(this.silent, rows => (rows >= this.deadAfter ? 1 : 0))
  }
}
