/**
 * A linear layer over the last axis with what follows it, as one op: y = gelu(x W + bias), or y = residual + (x W + bias).
 *
 * In float32 no digit is lost: products are float32's own, or on AMX made of bfloat16 thirds. In bf16 precision on a processor with AMX or AVX-512 BF16, x and W
 * are rounded to bfloat16 and summed in float32, as TensorFlow's bf16 mode does, but W is packed only once. Where neither applies TensorFlow makes
 * the product and one op the rest.
 */
import { type Tensor, type Tensor2D, tf } from '../tf.ts'
import { type GeluForm, gelu, plainGelu } from './gelu.ts'
import { callOp, canCall, multipliesHere, noTensor, roundsHere, weightId } from './native.ts'
import { addBias, plainAddBias } from './norm.ts'

export interface LinearOptions {
  /** [outputs], or none. */
  readonly bias?: Tensor | null
  /** The weight is [inputs, outputs] (`in-out`, GPT-2) or [outputs, inputs] (`out-in`, torch's Linear). */
  readonly layout: 'in-out' | 'out-in'
  /** Applied to the layer's output. */
  readonly gelu?: GeluForm | undefined
  /** Added to the layer's output; of its shape. Not together with `gelu`. */
  readonly residual?: Tensor | undefined
}

/** The meaning of `linear`, in tfjs ops that have gradients. x [..., inputs] gives [..., outputs]. */
export function plainLinear(x: Tensor, weight: Tensor, options: LinearOptions): Tensor {
  const { bias = null, residual } = options
  const product = multiply(x, weight, options.layout)
  if (options.gelu) return plainGelu(product, bias, options.gelu)
  if (residual) return plainAddBias(residual, product, bias)
  return bias ? product.add(bias) : product
}

/** The layer's output for x [..., inputs]. */
export function linear(x: Tensor, weight: Tensor, options: LinearOptions): Tensor {
  if (!canCall('PipelineGelu')) return plainLinear(x, weight, options)
  return tf.tidy(() => {
    const { bias = null, residual } = options
    const attributes = {
      transposed: options.layout === 'out-in',
      after: { int: options.gelu === 'erf' ? 1 : options.gelu === 'tanh' ? 2 : 0 },
    }
    const inputs = [x, weight, bias ?? noTensor(), residual ?? noTensor()]
    if (roundsHere()) {
      const id = tf.scalar(weightId(weight), 'int32')
      return callOp('PipelineLinear', attributes, [...inputs, id], 1)[0]!
    }
    if (multipliesHere()) return callOp('PipelineLinearFloat', attributes, inputs, 1)[0]!
    const product = multiply(x, weight, options.layout)
    if (options.gelu) return gelu(product, bias, options.gelu, { reuse: true })
    if (residual) return addBias(residual, product, bias)
    return bias ? product.add(bias) : product
  })
}

/** x W as one 2-D product: products that broadcast have no gradient. */
function multiply(x: Tensor, weight: Tensor, layout: LinearOptions['layout']): Tensor {
  const inputs = x.shape.at(-1)!
  const outputs = weight.shape[layout === 'in-out' ? 1 : 0]!
  const product = tf.matMul(x.reshape([-1, inputs]) as Tensor2D, weight as Tensor2D, false, layout === 'out-in')
  return product.reshape([...x.shape.slice(0, -1), outputs])
}
