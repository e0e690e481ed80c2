/** `pipeline model …`: what a host model is, and whether it computes what it should. */
import { z } from 'zod'
import { columns, figure, words } from '../../core/text.ts'
import { defineCommand } from '../command.ts'
import { ProcessConfig, startProcessEngine } from '../stages/common.ts'
import { findModel } from '../stages/inputs.ts'

/** Exit code of a comparison that found a difference. */
const failedCode = 2

const model = z.string().describe('Hugging Face model directory, or the built-in model toyworld')

export const info = defineCommand({
  about: 'Shows the sizes of a model, the sites at which its activations can be read and changed, and its hash.',
  examples: ['pipeline model info toyworld', 'pipeline model info ./my-model --json'],
  operands: ['model'],
  config: z.strictObject({ model, ...ProcessConfig }),
  async run(config) {
    await startProcessEngine(config)
    const { loadModel } = await import('../../model/load.ts')
    const found = await findModel(config.model)
    const loaded = await loadModel(found.directory)
    try {
      const parameters = Object.values(loaded.weights).reduce((sum, weight) => sum + weight.size, 0)
      const facts = { path: found.input.path, hash: loaded.hash, parameters, ...loaded.config }
      const sites = loaded.sites.map(({ name, axes, size }) => ({ name, axes, size }))
      const lines = [
        ...columns(Object.entries(facts).map(([key, value]) => [words(key), figure(value)])),
        '',
        'Sites',
        ...columns(sites.map(({ name, axes }) => [`  ${name}`, axes.join(', ')])),
      ]
      return { text: lines.join('\n'), json: { ...facts, sites } }
    } finally {
      loaded.dispose()
    }
  },
})

export const verify = defineCommand({
  about:
    'Runs a model on the tokens of a reference file and compares every site and the logits with the values in it, made with another implementation (docs/make_reference.py writes one with PyTorch). Exit code 2 when a difference is beyond the tolerance.',
  examples: ['pipeline model verify --model ./my-model --reference my-model.safetensors'],
  operands: ['model'],
  config: z.strictObject({
    model,
    reference: z.string().describe('Safetensors file with input ids and expected values'),
    tolerance: z.number().positive().default(1e-4).describe('Largest absolute difference that passes'),
    ...ProcessConfig,
  }),
  async run(config) {
    await startProcessEngine(config)
    const { verifyModel } = await import('../../model/verify.ts')
    const { loadModel } = await import('../../model/load.ts')
    const found = await findModel(config.model)
    const loaded = await loadModel(found.directory)
    try {
      const report = await verifyModel(loaded, config.reference, config.tolerance)
      const { tensors, largest, passed, tolerance } = report
      const rows = tensors.map(tensor => [
        tensor.name,
        tensor.site,
        tensor.difference.toExponential(2),
        tensor.magnitude.toExponential(2),
        tensor.passed ? '' : 'beyond the tolerance',
      ])
      const verdict = passed ? 'within' : 'beyond'
      const lines = [
        ...columns([['tensor', 'site', 'difference', 'largest value', ''], ...rows], [2, 3]),
        `Largest difference ${largest.toExponential(2)}, ${verdict} the tolerance of ${tolerance.toExponential(2)}.`,
      ]
      return { text: lines.join('\n'), json: report, exitCode: passed ? 0 : failedCode }
    } finally {
      loaded.dispose()
    }
  },
})
