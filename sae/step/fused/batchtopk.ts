/** The fused BatchTopK step: TopK's, with the latents chosen over the whole batch. */
import { type KeptLatents, keepLargest } from '../../../engine/ops/sae/batch.ts'
import { type ChosenLatents, topKEncode } from '../../../engine/ops/sae/encode.ts'
import { type Tensor1D, type Tensor2D, tf } from '../../../engine/tf.ts'
import type { Batch } from '../../architecture.ts'
import { keptOf, moveThreshold } from '../../architectures/batchtopk.ts'
import { TopkStepper } from './topk.ts'

/** The share of the last batch's smallest kept latent below which this batch's are not even looked at, at first. */
const margin = 0.8

export class BatchTopkStepper extends TopkStepper {
  /** Latents a row that are looked at; it grows when a row might have kept more, and shrinks when no row comes near. */
  private reach = 0
  /** The smallest latent that the batch at hand kept; infinity for none. */
  private smallest = Number.POSITIVE_INFINITY

  protected override chooser(k: number, norms: Tensor1D | undefined): ((x: Tensor2D) => ChosenLatents) | undefined {
    return x => this.chooseOfBatch(x, keptOf(k, x.shape[0]), Math.ceil(k), norms)
  }

  protected override change(batch: Batch, rate: number, measure: boolean) {
    const result = super.change(batch, rate, measure)
    const settings = this.own as { thresholdRate: number; thresholdFrom: number }
    this.state = moveThreshold(this.state, this.smallest, settings, this.step)
    return result
  }

  /**
   * The `count` largest latents of the batch, from each row's `reach` largest above a floor. Exact: the reach grows where a
   * row keeps all it was looked at for, and the floor goes where there were not enough above it.
   */
  private chooseOfBatch(x: Tensor2D, count: number, k: number, norms: Tensor1D | undefined): KeptLatents {
    const { latents } = this.shape
    const { wEnc, bEnc, packed } = this.linear
    this.reach = Math.min(latents, Math.max(this.reach, 2 * k))
    let floor = Number.isFinite(this.smallest) ? margin * this.smallest : 0
    for (;;) {
      const found = topKEncode(x, wEnc.weight as Tensor2D, {
        k: this.reach,
        bias: bEnc.weight as Tensor1D,
        layout: 'out-in',
        rounded: this.rounded,
        packed,
        scale: norms,
        floor,
        screened: this.onScreened(x.shape[0]),
      })
      const kept = keepLargest(found, count)
      tf.dispose([found.values, found.indices])
      const more = kept.full && this.reach < latents
      const lower = !kept.enough && floor > 0
      if (!more && !lower) {
        this.smallest = kept.smallest
        if (2 * kept.most < this.reach) this.reach = Math.min(latents, Math.max(2 * k, Math.ceil(1.5 * kept.most)))
        return kept
      }
      tf.dispose([kept.values, kept.indices])
      if (more) this.reach = Math.min(latents, Math.ceil(1.5 * this.reach))
      if (lower) floor = 0
    }
  }
}
