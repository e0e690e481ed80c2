/** Mends the gaps of tfjs's wasm backend, before it starts. Each mend is tested against the plain backend. */
import { FaultError } from '../../core/errors.ts'
import { addKernel, replaceKernel, type WasmBackend } from './backend.ts'
import { bridged } from './bridge.ts'
import { gatherWith } from './gather.ts'
import { mendMatMul } from './matmul.ts'
import { unsortedSegmentSum } from './segment-sum.ts'
import { mendSmall } from './small.ts'

/** Registers our kernels in the place of wasm's; call it once, before the backend is set. */
export function mendKernels(): void {
  replaceKernel('GatherV2', gatherWith)
  addKernel('UnsortedSegmentSum', unsortedSegmentSum)
  mendMatMul()
  mendSmall()
  for (const name of BRIDGED) addKernel(name, bridged(name))
}

/** What wasm lacks and the plain backend has, of kernels on numbers. */
const BRIDGED = [
  'Einsum',
  'Conv2DBackpropFilter',
  'DepthwiseConv2dNativeBackpropFilter',
  'DepthwiseConv2dNativeBackpropInput',
]

/** wasm gives the address 0 when its memory (at most 4 GB) is full, and tfjs would write there. */
export function guardMemory(backend: Pick<WasmBackend, 'wasm'>): void {
  const malloc = backend.wasm._malloc
  backend.wasm._malloc = bytes => {
    const address = malloc(bytes)
    if (address === 0 && bytes > 0)
      throw new FaultError(`The wasm engine has no memory left for ${bytes} bytes.`, {
        fix: 'Use smaller batches, or install TensorFlow with `pipeline doctor --install`.',
      })
    return address
  }
}
