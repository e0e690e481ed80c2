/** `pipeline model …`: what a host model is, and whether it computes what it should. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { columns, figure, words } from '../../core/text.ts'
import { clip } from '../../core/visible.ts'
import type { Tokenizer } from '../../datasets/tokenizer/index.ts'
import type { ConfigReading } from '../../model/families/config.ts'
import type { VerifyReport } from '../../model/verify.ts'
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
    const { loadModel, readModelConfig } = await import('../../model/load.ts')
    const found = await findModel(config.model)
    const loaded = await loadModel(found.directory)
    try {
      const configKeys = await readModelConfig(found.directory)
      const parameters = Object.values(loaded.weights).reduce((sum, weight) => sum + weight.size, 0)
      const facts = { path: found.input.path, hash: loaded.hash, parameters, ...loaded.config }
      const sites = loaded.sites.map(({ name, axes, size }) => ({ name, axes, size }))
      const lines = [
        ...columns(Object.entries(facts).map(([key, value]) => [words(key), figure(value)])),
        ...keyLines(configKeys),
        '',
        'Sites',
        ...columns(sites.map(({ name, axes }) => [`  ${name}`, axes.join(', ')])),
      ]
      return { text: lines.join('\n'), json: { ...facts, config: configKeys, sites } }
    } finally {
      loaded.dispose()
    }
  },
})

/** What was made of the keys of config.json. */
function keyLines({ read, defaulted, ignored }: ConfigReading): string[] {
  const part = (title: string, keys: Readonly<Record<string, unknown>>) => {
    const rows = Object.entries(keys).map(([key, value]) => [`  ${key}`, clip(JSON.stringify(value), 60)])
    return rows.length > 0 ? ['', title, ...columns(rows)] : []
  }
  return [
    ...part('Read of config.json', read),
    ...part('Not in it, taken as', defaulted),
    ...(ignored.length > 0 ? ['', 'In it and without effect on what is computed', `  ${ignored.join(', ')}`] : []),
  ]
}

export const verify = defineCommand({
  about:
    'Runs a model on the tokens of a reference file and compares every site and the logits with the values in it, made with another implementation (docs/make_reference.py writes one with PyTorch), and the token ids of its texts. Exit code 2 when a difference is beyond the tolerance or a text has other ids.',
  examples: ['pipeline model verify --model ./my-model --reference my-model.safetensors'],
  operands: ['model'],
  config: z.strictObject({
    model,
    reference: z.string().describe('Safetensors file with input ids and expected values'),
    tolerance: z.number().positive().default(1e-4).describe('Largest difference that passes for small values'),
    relativeTolerance: z
      .number()
      .min(0)
      .default(1e-5)
      .describe('What passes besides, as a share of the largest value of each tensor'),
    ...ProcessConfig,
  }),
  async run(config) {
    await startProcessEngine(config)
    const { verifyModel } = await import('../../model/verify.ts')
    const { loadModel } = await import('../../model/load.ts')
    const found = await findModel(config.model)
    const loaded = await loadModel(found.directory)
    try {
      const tokenizer = await tokenizerIn(found.directory)
      const tolerance = { absolute: config.tolerance, relative: config.relativeTolerance }
      const report = await verifyModel(loaded, config.reference, { tolerance, tokenizer })
      return { text: verifyText(report), json: report, exitCode: report.passed ? 0 : failedCode }
    } finally {
      loaded.dispose()
    }
  },
})

/** The tokenizer of a model's directory; undefined where it has none in the form that can be read. */
async function tokenizerIn(directory: string): Promise<Tokenizer | undefined> {
  const found = await stat(join(directory, 'tokenizer.json')).then(
    () => true,
    () => false,
  )
  if (!found) return undefined
  const { loadTokenizer } = await import('../../datasets/tokenizer/index.ts')
  return loadTokenizer(directory)
}

function verifyText({ tensors, largest, tolerance, texts }: VerifyReport): string {
  const rows = tensors.map(tensor => [
    tensor.name,
    tensor.site,
    short(tensor.difference),
    short(tensor.allowed),
    short(tensor.magnitude),
    tensor.passed ? '' : 'beyond the tolerance',
  ])
  const beyond = tensors.filter(({ passed }) => !passed).length
  const rule = `${short(tolerance.absolute)} + ${short(tolerance.relative)} × the largest value of the tensor`
  return [
    ...columns([['tensor', 'site', 'difference', 'allowed', 'largest value', ''], ...rows], [2, 3, 4]),
    `Largest difference ${short(largest)}; ${beyond === 0 ? 'all' : `${tensors.length - beyond} of ${tensors.length}`} within the tolerance of ${rule}.`,
    ...textLines(texts),
  ].join('\n')
}

/** How many texts are shown whose ids differ. */
const shownTexts = 5

function textLines({ given, compared, different }: VerifyReport['texts']): string[] {
  if (given === 0) return ['The reference has no texts, so that the tokenizer was not compared.']
  if (compared === 0)
    return [`The ids of ${given} texts were not compared: the model has no tokenizer.json beside its config.`]
  if (different.length === 0) return [`The token ids of all ${given} texts are equal.`]
  return [
    `${different.length} of ${given} texts have other token ids:`,
    ...different
      .slice(0, shownTexts)
      .map(
        ({ text, token, expected, actual }) =>
          `  ${JSON.stringify(text)}: token ${token} is ${actual[token] ?? 'none'}, expected ${expected[token] ?? 'none'}`,
      ),
    ...(different.length > shownTexts ? [`  and ${different.length - shownTexts} more`] : []),
  ]
}

function short(value: number): string {
  return value.toExponential(2)
}
