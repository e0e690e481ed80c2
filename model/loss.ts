/** Losses over logits, in nats, with gradients. */
import { type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'

/**
 * Cross-entropy of each next token: `logits` [batch, position, vocabulary] and `tokens` int32 [batch, position] give
 * [batch, position − 1], at position t the loss of token t + 1 in nats.
 */
export function tokenLoss(logits: Tensor3D, tokens: Tensor2D): Tensor2D {
  return tf.tidy(() => {
    const [batch, positions, vocabulary] = logits.shape
    const rows = logits.slice([0, 0, 0], [batch, positions - 1, vocabulary]).reshape([-1, vocabulary])
    const targets = tokens.slice([0, 1], [batch, positions - 1]).reshape([-1])
    return crossEntropy(rows as Tensor2D, targets as Tensor1D).reshape([batch, positions - 1])
  })
}

/** −log softmax(logits)[target] of each row. Gradient softmax − onehot, without the ops autodiff would record. */
function crossEntropy(logits: Tensor2D, targets: Tensor1D): Tensor1D {
  return tf.customGrad((input, save) => {
    const [rows, vocabulary] = logits.shape
    // Shifted first: the difference of two large numbers would lose digits.
    const shifted = (input as Tensor).sub((input as Tensor).max(-1, true))
    // Flat indices: gathering along a batch axis is wrong on the wasm backend.
    const offsets = tf.range(0, rows, 1, 'int32').mul(tf.scalar(vocabulary, 'int32'))
    const picked = shifted.reshape([-1]).gather(offsets.add(targets).toInt() as Tensor1D)
    const value = shifted.exp().sum(-1).log().sub(picked)
    ;(save as (tensors: Tensor[]) => void)([input as Tensor, targets])
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      const [x, y] = saved as [Tensor2D, Tensor1D]
      return x.softmax().sub(tf.oneHot(y, vocabulary)).mul(dy.expandDims(-1))
    }
    return { value, gradFunc }
  })(logits) as Tensor1D
}

/**
 * KL(p ‖ q) in nats at each position, [batch, position], of the distributions two logits [batch, position,
 * vocabulary] give.
 */
export function klDivergence(pLogits: Tensor3D, qLogits: Tensor3D): Tensor2D {
  return tf.tidy(() => {
    const logP = pLogits.logSoftmax(-1)
    return logP
      .exp()
      .mul(logP.sub(qLogits.logSoftmax(-1)))
      .sum(-1)
  })
}
