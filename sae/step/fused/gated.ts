/**
 * The fused step of gated latents. Entries are where the gate π is open; with s = π − b_gate, the product that both paths
 * share, and m = s e^{r_mag} + b_mag:
 *
 *   f = relu(m)      ∂loss/∂m = g · W_dec,i [m > 0]      ∂loss/∂π = g' · W_dec,i + λ n_i / (unit rows)
 *   ∂loss/∂s = ∂loss/∂π + e^{r_mag} ∂loss/∂m
 *
 * where g' belongs to the reconstruction from relu(π) that trains the gate.
 */
import { type Scalar, type Tensor1D, tf } from '../../../engine/tf.ts'
import { unitOf } from '../../layers/linear.ts'
import { alongDecoder, type EntriesConfig, type EntriesLoss, type EntriesStep, EntriesStepper } from './entries.ts'

interface GatedConfig extends EntriesConfig {
  l1Coefficient: number
  weightByDecoderNorm: boolean
  detachDecoder: boolean
}

export class GatedStepper extends EntriesStepper {
  private get gated(): GatedConfig {
    return this.own as unknown as GatedConfig
  }

  protected override get linear() {
    const { wEnc, bGate, wDec, bDec } = this.owned
    return { wEnc: wEnc!, bEnc: bGate!, wDec: wDec!, bDec: bDec!, packed: this.packed }
  }

  protected bounds(): Tensor1D {
    return tf.zeros([this.shape.latents])
  }

  protected differentiate(step: EntriesStep): EntriesLoss {
    const { entries, rows, context, norms, perError } = step
    const { l1Coefficient, weightByDecoderNorm, detachDecoder } = this.gated
    const gate = entries.values
    const gain = step.at((this.owned.rMag!.weight as Tensor1D).exp())
    const shared = gate.sub<Tensor1D>(step.at(this.owned.bGate!.weight as Tensor1D))
    const magnitude = shared.mul(gain).add<Tensor1D>(step.at(this.owned.bMag!.weight as Tensor1D))
    const latents = tf.relu(magnitude)
    const [main, aside] = step.decodeTwo(latents, gate)
    const weight = (l1Coefficient * context.sparsity) / unitOf(this.gated, this.variance) / rows
    const counted = weightByDecoderNorm ? gate.mul<Tensor1D>(step.at(norms)) : gate
    const dMagnitude = main.dz.mul<Tensor1D>(tf.greater(magnitude, 0).cast('float32'))
    const dGate = aside.dz.add<Tensor1D>(weightByDecoderNorm ? step.at(norms).mul(weight) : weight)
    const dGain = dMagnitude.mul<Tensor1D>(gain)
    return {
      latents,
      errors: main.errors,
      gradient: {
        dz: dGate.add(dGain),
        decoded: [{ values: latents, g: main.g }, ...(detachDecoder ? [] : [{ values: gate, g: aside.g }])] as never,
        bias: step.byLatent(dGate),
        decoderScale: weightByDecoderNorm ? alongDecoder(step.byLatent(gate.mul(weight)), norms) : undefined,
      },
      others: { rMag: step.byLatent(dGain.mul(shared)), bMag: step.byLatent(dMagnitude) },
      terms: () => ({
        sparsity: counted.sum<Scalar>().mul(weight),
        auxiliary: aside.errors.sum<Scalar>().mul(perError),
      }),
    }
  }
}
