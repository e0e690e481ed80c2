/** Effects of edits the long way: a full pass of the model for each, and nothing kept. What faster ways are held to. */
import { onHost } from '../engine/host.ts'
import { type Tensor3D, tf } from '../engine/tf.ts'
import { klDivergence, tokenLoss } from '../model/loss.ts'
import type { Model } from '../model/model.ts'
import type { DocumentEdits, Edit } from './edits.ts'

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

/** Target, loss and KL of one edit, each as the mean that `EditEffect` has. */
export function naiveEffect(
  model: Model,
  site: string,
  { window, positions, bank, weights }: Omit<DocumentEdits, 'edits' | 'batchTokens'>,
  edit: Edit,
): { target: number; loss: number; kl: number } {
  const { length } = window.tokens
  const own = edit.positions ?? positions
  return onHost(() => {
    const tokens = tf.tensor2d(window.tokens, [1, length], 'int32')
    const changes = new Float32Array(length)
    own.forEach((position, i) => {
      changes[position] = edit.change[i]!
    })
    const row = bank.slice([edit.direction, 0], [1, bank.shape[1]])
    const delta = tf.tensor3d(changes, [1, length, 1]).mul(row.expandDims(0))
    const plain = model.run(tokens) as Tensor3D
    const edited = model.run(tokens, { hooks: { [site]: value => value.add(delta.reshape(value.shape)) } }) as Tensor3D
    const loss = tokenLoss(edited, tokens).sub(tokenLoss(plain, tokens)).dataSync()
    const kl = klDivergence(plain, edited).dataSync()
    const target = edited
      .sub(plain)
      .reshape([length, -1])
      .matMul(tf.tensor2d(edit.weights ?? weights, [weights.length, 1]))
      .dataSync()
    return {
      target: mean(own.map(position => target[position]!)),
      loss: mean(Array.from(loss).slice(own[0])),
      kl: mean(Array.from(kl).slice(own[0])),
    }
  })
}
