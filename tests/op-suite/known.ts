/**
 * What is known not to hold, per engine: whole groups that are left out, and specs that fail. A spec goes
 * by its full name, as tfjs words it.
 */
import { readFileSync } from 'node:fs'
import { requireTfjs } from '../../engine/tf.ts'

/** What an engine is held against. */
export interface Known {
  /** Not run: parts of names of what the engine does not offer. */
  readonly leftOut: readonly string[]
  /** Run, and expected to fail: in the name of the spec, or in what it says. */
  readonly failing: readonly RegExp[]
}

/** tfjs's own list for TensorFlow, read from its package, and what TensorFlow 2.21 adds to it. */
function tensorflow(): Known {
  const source = readFileSync(requireTfjs.resolve('@tensorflow/tfjs-node-gpu/dist/run_tests.js'), 'utf8')
  const list = /IGNORE_LIST = \[([\s\S]*?)\n\];/.exec(source)?.[1]
  if (!list) throw new Error('tfjs-node-gpu holds no list of specs to leave out.')
  const lines = list.split('\n').map(line => /^\s*('.*'),?$/.exec(line)?.[1])
  const leftOut = lines.filter(line => line !== undefined).map(text => text.slice(1, -1).replaceAll("\\'", "'"))
  // TensorFlow's Round gives zeros for int32; nothing in this project rounds integers.
  return { leftOut, failing: [/^round test-tensorflow \{\} int32$/] }
}

/** wasm is run whole; what fails are kinds of tensors and ops that nothing in this project uses. */
const wasm: Known = {
  leftOut: [],
  failing: [
    /Kernel '(Complex|RaggedGather|RaggedRange|RaggedTensorToTensor|StaticRegexReplace)' not registered/,
    /NCHW|channelsFirst/,
    /only supports rank-1 bias/,
    /Unknown dtype string|string comparison|string tensor|for string$/,
    /^threshold .* otsu/,
    /^pool .* fractional outputs/,
  ],
}

/** What is known of an engine. */
export function knownOf(engine: string): Known {
  return engine === 'wasm' ? wasm : tensorflow()
}
