/** Several snapshots as one, so that a checkpoint of SAEs that learn together is written at a stroke. */
import type { StepSnapshot } from '../step/snapshot.ts'

/** One snapshot of all; they have taken equally many steps. */
export function joinSnapshots(snapshots: readonly StepSnapshot[]): StepSnapshot {
  const joined = (parts: Int32Array[]) => Int32Array.from(parts.flatMap(part => [...part]))
  const numbered = <T>(of: (snapshot: StepSnapshot) => Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(
      snapshots.flatMap((snapshot, i) => Object.entries(of(snapshot)).map(([name, value]) => [`${i}.${name}`, value])),
    )
  return {
    step: snapshots[0]!.step,
    state: numbered(snapshot => snapshot.state),
    silent: joined(snapshots.map(snapshot => snapshot.silent)),
    fired: joined(snapshots.map(snapshot => snapshot.fired)),
    tensors: numbered(snapshot => snapshot.tensors),
  }
}

/** The snapshots that were joined, of SAEs with so many latents each. */
export function partSnapshots(joined: StepSnapshot, latents: readonly number[]): StepSnapshot[] {
  let start = 0
  return latents.map((count, i) => {
    const prefix = `${i}.`
    const own = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
      Object.fromEntries(
        Object.entries(record).flatMap(([name, value]) =>
          name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : [],
        ),
      )
    const part = {
      step: joined.step,
      state: own(joined.state),
      silent: joined.silent.slice(start, start + count),
      fired: joined.fired.slice(start, start + count),
      tensors: own(joined.tensors),
    }
    start += count
    return part
  })
}
