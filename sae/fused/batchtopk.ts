/** The fused BatchTopK step: TopK's, with the latents chosen over the whole batch. */
import { type ChosenLatents, topKEncode } from '../../engine/ops/sae/encode.ts'
import { type Tensor1D, type Tensor2D, tf } from '../../engine/tf.ts'
import type { Batch } from '../architecture.ts'
import { moveThreshold } from '../architectures/batchtopk.ts'
import { firstLargest, nthLargestPositive } from '../select.ts'
import { TopkStepper } from './topk.ts'

export class BatchTopkStepper extends TopkStepper {
  /** Latents a row that are looked at; it grows when a row might have kept more. */
  private reach = 0
  /** The smallest latent that the batch at hand kept; infinity for none. */
  private smallest = Number.POSITIVE_INFINITY

  protected override chooser(k: number) {
    return (x: Tensor2D) => this.chooseOfBatch(x, Math.floor(k * x.shape[0]), Math.ceil(k))
  }

  protected override change(batch: Batch, rate: number, measure: boolean) {
    const result = super.change(batch, rate, measure)
    const settings = this.config as { thresholdRate: number; thresholdFrom: number }
    this.state = moveThreshold(this.state, this.smallest, settings, this.step)
    return result
  }

  /**
   * The `count` largest latents of the batch, from each row's `reach` largest: exact, since the reach grows where a row
   * keeps all it was looked at for.
   */
  private chooseOfBatch(x: Tensor2D, count: number, k: number): ChosenLatents {
    const { shape } = this
    const { wEnc, bEnc, packed } = this.linear
    this.reach = Math.min(shape.latents, Math.max(this.reach, 2 * k))
    for (;;) {
      const { values, indices } = topKEncode(x, wEnc.weight as Tensor2D, {
        k: this.reach,
        bias: bEnc.weight as Tensor1D,
        layout: 'out-in',
        rounded: this.rounded,
        packed,
      })
      const found = values.dataSync() as Float32Array
      const least = nthLargestPositive(found, count)
      if (this.reach < shape.latents && fullRow(found, this.reach, least)) {
        tf.dispose([values, indices])
        this.reach = Math.min(shape.latents, Math.ceil(1.5 * this.reach))
        continue
      }
      const kept = keepFrom(found, least, count)
      values.dispose()
      this.smallest = kept.smallest
      return { values: tf.tensor2d(kept.values, values.shape), indices }
    }
  }
}

/** Whether some row's values are all positive and at or above `least`: it might have kept more than it was looked at for. */
function fullRow(values: Float32Array, reach: number, least: number): boolean {
  for (let start = 0; start < values.length; start += reach) {
    let smallest = Number.POSITIVE_INFINITY
    for (let i = start; i < start + reach; i++) if (values[i]! < smallest) smallest = values[i]!
    if (smallest > 0 && smallest >= least) return true
  }
  return false
}

/** The values without those that are not among the `count` largest, and the smallest that stays. */
function keepFrom(values: Float32Array, least: number, count: number): { values: Float32Array; smallest: number } {
  let atLeast = 0
  for (const value of values) if (value > 0 && value >= least) atLeast++
  const mask = least > 0 && atLeast > count ? firstLargest(values, least, count) : undefined
  const kept = new Float32Array(values.length)
  let smallest = Number.POSITIVE_INFINITY
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (value <= 0 || value < least || (mask && mask[i] === 0)) continue
    kept[i] = value
    if (value < smallest) smallest = value
  }
  return { values: kept, smallest }
}
