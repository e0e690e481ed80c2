/**
 * Gather with batch dimensions. wasm's own kernel takes one batch's indices for another's from the third on, and reads
 * beyond its memory; it stays in use where there is one batch.
 */
import { tf } from '../tf.ts'
import { type Kernel, sizeOf } from './backend.ts'

/** `out[b, o, i, :] = x[b, o, indices[b, i], :]` with all dimensions before, beside and after the axis flattened. */
export function gatherWith(original: Kernel): Kernel {
  return call => {
    const { x, indices } = call.inputs as Record<'x' | 'indices', NonNullable<(typeof call.inputs)[string]>>
    const axis = tf.util.parseAxisParam(call.attrs.axis as number, x.shape)[0]!
    const batchDims = (call.attrs.batchDims as number | undefined) ?? 0
    // Checks the dimensions against each other, which wasm's own leaves out.
    tf.backend_util.segment_util.collectGatherOpShapeInfo(x as never, indices as never, axis, batchDims)
    const batches = sizeOf(x.shape.slice(0, batchDims))
    if (batches === 1 && sizeOf(x.shape) > 0) return original(call)

    const outer = sizeOf(x.shape.slice(batchDims, axis))
    const size = x.shape[axis]!
    const inner = sizeOf(x.shape.slice(axis + 1))
    const count = sizeOf(indices.shape.slice(batchDims))
    const shape = [...x.shape.slice(0, axis), ...indices.shape.slice(batchDims), ...x.shape.slice(axis + 1)]
    const output = call.backend.makeOutput(shape, x.dtype)
    const [from, at, to] = [x, indices, output].map(tensor => call.backend.typedArrayFromHeap(tensor))
    for (const index of at!)
      if (index < 0 || index >= size) throw new Error(`GatherV2: the index value ${index} is not in [0, ${size - 1}]`)
    let target = 0
    for (let batch = 0; batch < batches; batch++)
      for (let part = 0; part < outer; part++)
        for (let i = 0; i < count; i++) {
          const start = ((batch * outer + part) * size + at![batch * count + i]!) * inner
          if (inner === 1) to![target] = from![start]!
          else to!.set(from!.subarray(start, start + inner), target)
          target += inner
        }
    return output
  }
}
