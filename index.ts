/** What programs may use of the package: `import { … } from 'pipeline'`. The client of the API alone is `pipeline/api`. */

// Errors whose message is a sentence for people.
export { UserError } from './core/errors.ts'
// The server of `pipeline serve`, asked from elsewhere.
export { ApiError, createClient } from './dashboard/api/client.ts'
// Activation shards by row.
export { type Capture, openCapture, readCaptureManifest } from './datasets/shards/index.ts'
// The built-in language and its model.
export {
  factPrompts,
  indirectObjectPrompts,
  inductionPrompts,
  pronounPrompts,
  toyworldDocuments,
  toyworldModelDirectory,
} from './datasets/toyworld/index.ts'
// TensorFlow, which is started before anything computes, and TensorFlow.js on it.
export { type Engine, startEngine } from './engine/engine.ts'
export { tf } from './engine/tf.ts'
// What a label run says of each latent.
export type { Feature } from './labels/feature.ts'
export { readFeatures } from './labels/files.ts'
// Models with named sites.
export { loadModel } from './model/load.ts'
export type { Model } from './model/model.ts'
// SAEs of a run or of another library's directory.
export { openSae } from './sae/formats/index.ts'
export type { Sae } from './sae/sae.ts'
// Evidence held to its raw values.
export { verifyBundle } from './validation/bundle.ts'
