import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { opsTestable } from './testing.ts'

const script = `
  const { startEngine } = await import('./engine/engine.ts')
  const { tf } = await import('./engine/tf.ts')
  const { countReads } = await import('./engine/ops/reads.ts')
  const { norm } = await import('./engine/ops/norm.ts')
  const { linear } = await import('./engine/ops/linear.ts')
  const { attention } = await import('./engine/ops/attention.ts')
  const { topKEncode } = await import('./engine/ops/sae/encode.ts')
  await startEngine({ engine: process.argv[1] })
  const [x, weight] = [tf.ones([4, 8]), tf.ones([8, 24])]
  const forward = () => tf.tidy(() => {
    const rows = linear(norm(x, { kind: 'layer', epsilon: 1e-5 }).value, weight, { layout: 'in-out', gelu: 'erf' }).reshape([1, 4, 24])
    const part = offset => ({ rows, offset })
    attention(part(0), part(8), part(16), { heads: 1, kvHeads: 1, headDim: 8, scale: 1 })
    topKEncode(x, weight, { k: 3, layout: 'in-out' })
  })
  const silent = countReads(forward)
  const loud = countReads(() => { forward(); tf.tidy(() => x.add(1).dataSync()) })
  console.log(JSON.stringify({ silent, loud, again: countReads(() => {}) }))`

async function counts(engine: string) {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', script, engine],
    { cwd: fileURLToPath(new URL('../..', import.meta.url)) },
  )
  return JSON.parse(stdout)
}

describe('what leaves the engine’s memory', () => {
  test('a forward pass on another backend calls no custom op', async () => {
    const { silent, loud, again } = await counts('wasm')
    // Some of wasm's own kernels read the memory that they share with the program: that is no transfer, but it is counted.
    expect([silent.ownOps, loud.ownOps]).toEqual([0, 0])
    expect([loud.reads - silent.reads, loud.bytes - silent.bytes]).toEqual([1, 128])
    expect(again).toEqual({ reads: 0, bytes: 0, ownOps: 0 })
  })

  test.runIf(opsTestable)('on processors custom ops run, and read nothing either', async () => {
    const { silent, loud } = await counts('tensorflow')
    expect(silent).toEqual({ reads: 0, bytes: 0, ownOps: 4 })
    expect(loud).toEqual({ reads: 1, bytes: 128, ownOps: 4 })
  })
})
