/** What tests of the ops share: loading them, running at every instruction set, and comparing with float64. */

import { startEngine } from '../engine.ts'
import { isInstalled, tensorflowRoot } from '../install/places.ts'
import type { InstructionSet } from '../isa.ts'
import type { EngineOptions } from '../settings.ts'
import type { Tensor } from '../tf.ts'
import { availableInstructions, opInstructions, setOpInstructions, setOpThreads } from './native.ts'

/** Whether TensorFlow is here and its ops are not turned off; without them there is nothing to test. */
export const opsTestable =
  isInstalled(tensorflowRoot('cpu')) && process.env.PIPELINE_ENGINE !== 'wasm' && process.env.PIPELINE_OPS !== 'off'

/** Starts TensorFlow with the ops of the present sources. */
export async function startOps(options: Pick<EngineOptions, 'precision'> = {}): Promise<void> {
  const { nativeOps, notice } = await startEngine({ engine: 'tensorflow', ...options })
  if (!nativeOps) throw new Error(notice ?? 'PIPELINE_OPS=off turns off what is tested.')
}

/**
 * Runs `check` at the instruction sets that this processor has, with one thread and with more than the rows. Those that only
 * add products of 8-bit integers are left out unless `sets` names them: all other kernels are the same there.
 */
export function everyWay(check: (name: string, threads: number) => void, sets = setsOfFloats()): void {
  const before = opInstructions() as InstructionSet
  for (const set of sets) {
    setOpInstructions(set)
    for (const threads of [1, 5]) {
      setOpThreads(threads)
      check(`${set}, ${threads} threads`, threads)
    }
  }
  setOpThreads(2)
  setOpInstructions(before)
}

function setsOfFloats(): readonly InstructionSet[] {
  return availableInstructions().filter(set => set !== 'avxvnni' && set !== 'avx512vnni')
}

/** The largest absolute difference; NaN where one of the two is NaN. Disposes nothing. */
export function largestDifference(actual: Tensor, expected: Tensor | ArrayLike<number>): number {
  const a = actual.dataSync()
  const b = 'dataSync' in expected ? expected.dataSync() : expected
  if (a.length !== b.length) throw new Error(`${a.length} values, expected ${b.length}`)
  let most = 0
  for (let i = 0; i < a.length; i++) {
    const difference = a[i] === b[i] ? 0 : Math.abs(a[i]! - b[i]!)
    if (!(difference <= most)) most = difference
  }
  return most
}
