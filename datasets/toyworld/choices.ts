/**
 * Random choices that count what they cost: the sum of −log p over a text's choices is its information in nats, and
 * its mean over texts the entropy of the language, which no model can beat.
 */
import type { Random } from '../../core/random.ts'

export class Choices {
  /** Information of the choices made so far, in nats. */
  nats = 0
  private readonly random: Random

  constructor(random: Random) {
    this.random = random
  }

  /** One of the items, each as likely. */
  pick<T>(items: readonly T[]): T {
    this.nats += Math.log(items.length)
    return this.random.pick(items)
  }

  /** True with probability p. */
  chance(p: number): boolean {
    const yes = this.random.uniform() < p
    this.nats -= Math.log(yes ? p : 1 - p)
    return yes
  }

  /** `count` different items in random order. */
  sample<T>(items: readonly T[], count: number): T[] {
    for (let i = 0; i < count; i++) this.nats += Math.log(items.length - i)
    return this.random.sample(items, count)
  }

  /** A choice whose cost is reckoned elsewhere, because the text shows it only in part. */
  hidden<T>(items: readonly T[], weights?: readonly number[]): T {
    if (!weights) return this.random.pick(items)
    let left = this.random.uniform() * weights.reduce((sum, weight) => sum + weight, 0)
    for (let i = 0; i < items.length - 1; i++) {
      left -= weights[i]!
      if (left < 0) return items[i]!
    }
    return items[items.length - 1]!
  }
}
