/** The one tfjs instance of the process, and the tensor types that the rest of the project uses. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { tfjsTree } from './install/places.ts'

const native = '@tensorflow/tfjs-node-gpu/package.json'

/**
 * What to require tfjs with: from our own `node_modules` where the native backend lies in it, else from the tree that
 * `pipeline doctor --install` made, else our own without a native backend. One tree for all of tfjs, so that its backends
 * and our code share one registry.
 */
export function tfjsRequire(): NodeJS.Require {
  const own = createRequire(import.meta.url)
  const cached = createRequire(join(tfjsTree(), 'package.json'))
  return !resolves(own, native) && resolves(cached, native) ? cached : own
}

/** Whether the native backend's JavaScript can be had. */
export function hasNativeBackend(): boolean {
  return resolves(tfjsRequire(), native)
}

/** The one that this process requires tfjs with. */
export const requireTfjs: NodeJS.Require = tfjsRequire()

/** `@tensorflow/tfjs` as CommonJS, so that the native backend, which requires it too, shares its registries. */
export const tf: typeof import('@tensorflow/tfjs') = requireTfjs('@tensorflow/tfjs')

function resolves(require: NodeJS.Require, name: string): boolean {
  try {
    require.resolve(name)
    return true
  } catch {
    return false
  }
}

export type {
  DataType,
  NamedTensorMap,
  Scalar,
  Tensor,
  Tensor1D,
  Tensor2D,
  Tensor3D,
  Tensor4D,
} from '@tensorflow/tfjs'
