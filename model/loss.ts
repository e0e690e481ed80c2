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

/** The prediction at each position, taken once for many comparisons: log-probabilities and probabilities [batch, position, vocabulary]. */
export interface Prediction {
  readonly logs: Tensor3D
  readonly shares: Tensor3D
}

/** The prediction that logits [batch, position, vocabulary] give. The caller, or its tidy, disposes it. */
export function predictionOf(logits: Tensor3D): Prediction {
  return tf.tidy(() => {
    const logs = logits.logSoftmax(-1) as Tensor3D
    return { logs, shares: logs.exp() as Tensor3D }
  }) as unknown as Prediction
}

/**
 * What other logits [batch, position, vocabulary] of the same tokens int32 [batch, position] do to a prediction p: their
 * cross-entropy of each next token [batch, position − 1], the same as `tokenLoss` gives, and KL(p ‖ q) at each position
 * [batch, position], both in nats.
 */
export function comparedWith(
  { logs, shares }: Prediction,
  logits: Tensor3D,
  tokens: Tensor2D,
): { loss: Tensor2D; divergence: Tensor2D } {
  return tf.tidy(() => {
    const [batch, positions, vocabulary] = logits.shape
    const others = logits.logSoftmax(-1)
    const rows = tf.range(0, batch * positions, 1, 'int32').reshape([batch, positions])
    const next = tokens.slice([0, 1], [batch, positions - 1])
    const places = rows
      .slice([0, 0], [batch, positions - 1])
      .mul(tf.scalar(vocabulary, 'int32'))
      .add(next)
    return {
      loss: others
        .reshape([-1])
        .gather(places.toInt().reshape([-1]))
        .neg()
        .reshape([batch, positions - 1]) as Tensor2D,
      divergence: shares.mul(logs.sub(others)).sum(-1) as Tensor2D,
    }
  }) as unknown as { loss: Tensor2D; divergence: Tensor2D }
}

/**
 * KL(p ‖ q) in nats at each position, [batch, position], of the distributions two logits [batch, position,
 * vocabulary] give.
 */
export function klDivergence(pLogits: Tensor3D, qLogits: Tensor3D): Tensor2D {
  return tf.tidy(() => {
    const { logs, shares } = predictionOf(pLogits)
    return shares.mul(logs.sub(qLogits.logSoftmax(-1))).sum(-1)
  })
}
