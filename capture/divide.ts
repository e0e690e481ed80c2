/** A capture in units that processes of their own can do: a shard is a function of its windows alone. */
import type { StageContext } from '../core/stage.ts'
import { type CaptureInputs, computeShards, planCapture } from './capture.ts'
import { stemOf } from './shards.ts'

/** The shards of a capture by name, and what computes one of them, with its note, into a directory. */
export async function divideCapture(context: StageContext, inputs: CaptureInputs) {
  const work = await planCapture(context, inputs)
  return {
    names: work.plans.map(({ number }) => stemOf(number)),
    work: async (unit: number, directory: string) => {
      await computeShards({ ...context, directory }, work, [work.plans[unit]!], () => {})
    },
  }
}
