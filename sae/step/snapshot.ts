/** What a stepper's snapshot is made of. */
import { collectGarbage } from '../../core/memory.ts'
import type { State } from '../architecture.ts'

/** Everything a step changes, as plain arrays: what a checkpoint stores. */
export interface StepSnapshot {
  readonly step: number
  readonly state: State
  readonly silent: Int32Array
  readonly fired: Int32Array
  /** Where `dtype` is given, `data` is made when it is asked for (`readWhenAsked`). */
  readonly tensors: Record<string, { shape: number[]; data: Float32Array; dtype?: 'F32' }>
}

/** Above it, garbage is collected before an array is made; the engine of JavaScript lets gigabytes of arrays gather. */
const largeBytes = 2 ** 26

/** A tensor of a snapshot whose data are made when they are asked for; what was made before may go. */
export function readWhenAsked(shape: number[], read: () => Float32Array): StepSnapshot['tensors'][string] {
  return {
    shape,
    dtype: 'F32',
    get data() {
      if (shape.reduce((size, axis) => size * axis, 4) > largeBytes) collectGarbage()
      return read()
    },
  }
}
