/** The one tfjs instance of the process, and the tensor types that the rest of the project uses. */
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** `@tensorflow/tfjs` as CommonJS, so that the native backend, which requires it too, shares its registries. */
export const tf: typeof import('@tensorflow/tfjs') = require('@tensorflow/tfjs')

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
