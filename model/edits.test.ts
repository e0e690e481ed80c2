/** Edits in one op give what passes with hooks give, in the families whose blocks the op knows; the others have none. */
import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../core/random.ts'
import { onHost } from '../engine/host.ts'
import { passesHere } from '../engine/ops/edited-pass.ts'
import { opsTestable, startOps } from '../engine/ops/testing.ts'
import { type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import { smallConfigs, smallModel } from './random.fixture.ts'

/** Families all of whose blocks the op knows; of others it may know some of the last, or the last norm. */
const known = ['gpt2', 'llama', 'opt', 'qwen2']
const length = 9
const tokens = Int32Array.from({ length }, (_, i) => (i * 7) % 11)
const entries = Int32Array.of(2, 0, 5, 1, 8, 1)
const changes = Float32Array.of(1.5, -1, 2)
/** An edit of two positions read at three, and one of the last. */
const edits = {
  ...{ entries, changes, starts: Int32Array.of(0, 2, 3) },
  ...{ reads: Int32Array.of(2, 6, 8, 8), readStarts: Int32Array.of(0, 3, 4) },
}

describe.skipIf(!opsTestable)('edits from a residual on', () => {
  beforeAll(() => startOps())

  test.each(Object.keys(smallConfigs))('%s', family => {
    const model = smallModel(family)
    const { width } = model.config
    const before = tf.memory().numTensors
    for (const site of ['blocks.0.hook_resid_pre', 'blocks.0.hook_resid_post', 'blocks.1.hook_resid_post']) {
      const ids = tf.tensor2d(tokens, [1, length])
      const value = model.run(ids, { until: site }) as Tensor3D
      const pass = model.editedFrom(site, value)
      if (site === 'blocks.0.hook_resid_pre') expect(pass !== null).toBe(passesHere() && known.includes(family))
      if (pass) {
        const largest = onHost(() => {
          const bank = tf.tensor2d(new Random(family).normals(2 * width), [2, width])
          const rows = bank.arraySync() as number[][]
          const added = (of: readonly number[][]) =>
            tf.tensor3d([Array.from({ length }, (_, p) => of[p] ?? new Array<number>(width).fill(0))])
          const scaled = (row: number, by: number) => rows[row]!.map(x => by * x)
          const both: number[][] = []
          ;[both[2], both[5]] = [scaled(0, 1.5), scaled(1, -1)]
          const last: number[][] = []
          last[8] = scaled(1, 2)
          const clean = model.run(ids, { until: 'unembed.hook_in' }) as Tensor3D
          const changed = (of: readonly number[][]) =>
            model
              .run(ids, { until: 'unembed.hook_in', hooks: { [site]: x => x.add(added(of)) } })
              .sub(clean)
              .reshape([length, width])
          const expected = tf.concat([
            changed(both).gather(tf.tensor1d([2, 6, 8], 'int32')),
            changed(last).gather(tf.tensor1d([8], 'int32')),
          ]) as Tensor2D
          const found = pass.edited({ bank, ...edits })
          return found.sub(expected).abs().max().dataSync()[0]!
        })
        expect(largest, site).toBeLessThan(2e-5)
        pass.dispose()
      }
      expect(model.editedFrom('blocks.0.hook_resid_mid', value)).toBeNull()
      tf.dispose([ids, value])
    }
    expect(tf.memory().numTensors).toBe(before)
    model.dispose()
  })
})
