/** Where the time of a pass goes: to waiting for rows, or to learning from them. Told to people, and not kept in files. */

/** The time of one pass. */
export class Clock {
  private readonly batchTokens: number
  private steps = 0
  private waitingSeconds = 0
  private learningSeconds = 0

  constructor(batchTokens: number) {
    this.batchTokens = batchTokens
  }

  /** Everything between two steps: reading, shuffling, handing over. */
  async waiting<T>(work: () => Promise<T>): Promise<T> {
    const began = performance.now()
    try {
      return await work()
    } finally {
      this.steps++
      this.waitingSeconds += (performance.now() - began) / 1000
    }
  }

  async learning<T>(work: () => Promise<T>): Promise<T> {
    const began = performance.now()
    try {
      return await work()
    } finally {
      this.learningSeconds += (performance.now() - began) / 1000
    }
  }

  private get share(): number {
    return this.waitingSeconds / (this.waitingSeconds + this.learningSeconds || 1)
  }

  percent(): string {
    return `${(100 * this.share).toFixed(1)} %`
  }

  text(): string {
    return `waited ${this.percent()} of the time for data`
  }

  /** Of this process: what came before an interruption is not in it. */
  facts(): Record<string, number> {
    const seconds = this.waitingSeconds + this.learningSeconds
    return {
      dataWaitSeconds: this.waitingSeconds,
      dataWaitShare: this.share,
      tokensPerSecond: seconds > 0 ? (this.steps * this.batchTokens) / seconds : 0,
    }
  }
}
