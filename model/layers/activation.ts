/** The elementwise nonlinearities of the MLPs, under the names configs give them. */
import { type GeluForm, gelu } from '../../engine/ops/gelu.ts'
import { canCall } from '../../engine/ops/native.ts'
import { type Tensor, tf } from '../../engine/tf.ts'

export const activations = ['gelu', 'gelu_new', 'silu', 'relu'] as const
/** `gelu` is the exact one (erf), `gelu_new` its tanh approximation, `silu` is x · sigmoid(x). */
export type Activation = (typeof activations)[number]

const cubic = 0.044715
const slope = 2 * Math.sqrt(2 / Math.PI)

/** Which form of GELU an activation is, if it is one. */
export function geluForm(name: Activation): GeluForm | undefined {
  return name === 'gelu' ? 'erf' : name === 'gelu_new' ? 'tanh' : undefined
}

/** The activation of every element. */
export function activation<T extends Tensor>(x: T, name: Activation): T {
  const form = geluForm(name)
  if (form && canCall('PipelineGelu')) return gelu(x, null, form) as T
  return tf.tidy(() => {
    switch (name) {
      case 'relu':
        return x.relu()
      case 'silu':
        return x.mul(x.sigmoid())
      case 'gelu':
        return x.mul(x.mul(Math.SQRT1_2).erf().add(1).mul(0.5))
      case 'gelu_new':
        // ½x(1 + tanh(√(2/π)(x + 0.044715x³))) with ½(1 + tanh u) = sigmoid(2u)
        return x.mul(
          x
            .square()
            .mul(slope * cubic)
            .add(slope)
            .mul(x)
            .sigmoid(),
        )
    }
  }) as T
}
