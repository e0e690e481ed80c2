/** Sums of rows by segment, which wasm lacks: the gradient of gather, and so of every embedding, is one. */
import type { Kernel } from './backend.ts'
import { sizeOf } from './backend.ts'

/** `out[segmentIds[i], :] += x[i, :]`; ids outside [0, numSegments) are left out, as TensorFlow does with negative ones. */
export const unsortedSegmentSum: Kernel = ({ inputs, backend, attrs }) => {
  const { x, segmentIds } = inputs as Record<'x' | 'segmentIds', NonNullable<(typeof inputs)[string]>>
  const segments = attrs.numSegments as number
  const inner = x.shape.slice(segmentIds.shape.length)
  const width = sizeOf(inner)
  const output = backend.makeOutput([segments, ...inner], x.dtype)
  const [from, ids, to] = [x, segmentIds, output].map(tensor => backend.typedArrayFromHeap(tensor))
  to!.fill(0)
  for (let row = 0; row < ids!.length; row++) {
    const segment = ids![row]!
    if (segment < 0 || segment >= segments) continue
    for (let i = 0, source = row * width, target = segment * width; i < width; i++) to![target++]! += from![source++]!
  }
  return output
}
