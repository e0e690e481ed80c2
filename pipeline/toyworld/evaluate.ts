/** Measures a toyworld model and prints what it knows: `npx tsx pipeline/toyworld/evaluate.ts [--model DIR] [--readme]`. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeAtomic } from '../../core/files.ts'
import { toyworldModelDirectory } from '../../datasets/toyworld/index.ts'
import { startEngine } from '../../engine/engine.ts'
import { loadModel } from '../../model/load.ts'
import type { Model } from '../../model/model.ts'
import { type Answers, type Figures, measure } from './measure.ts'

/** The figures the model is held to (issue: facts at least 98 %, indirect object at least 95 %). */
const targets: readonly [name: string, holds: (figures: Figures) => boolean][] = [
  ['facts at least 98 % right', ({ facts }) => facts.right >= 0.98],
  ['indirect object at least 95 % right', ({ indirectObject }) => indirectObject.right >= 0.95],
  ['pronouns at least 99 % right', ({ pronouns }) => pronouns.right >= 0.99],
  ['induction at most 0.05 nats from its floor of 0', ({ documents }) => documents.inductionLoss <= 0.05],
  ['mean loss at most 0.05 nats above the entropy', ({ documents }) => documents.loss - documents.entropy <= 0.05],
]

const percent = (share: number) => `${(100 * share).toFixed(1)} %`

function table({ facts, articles, indirectObject, pronouns, induction, documents }: Figures): string {
  const row = (name: string, answers: Answers) =>
    `| ${name} | ${answers.prompts} | ${percent(answers.right)} | ${answers.loss.toFixed(4)} | ` +
    `${percent(answers.worst.right)} (${answers.worst.group}) |`
  return [
    '| asked | prompts | right | loss of the answer, nats | worst language and form |',
    '|---|---|---|---|---|',
    row('facts: the object', facts),
    row('facts: an article before the object', articles),
    row('indirect object: who receives', indirectObject),
    row('pronoun: she or he', pronouns),
    row('induction: how a copy goes on', induction),
    '',
    `Over ${documents.count} documents the mean loss is ${documents.loss.toFixed(4)} nats a token; the language's entropy over the`,
    `same documents, which no model can beat on average, is ${documents.entropy.toFixed(4)}. Tokens of a sequence's copy`,
    `(after its first) cost ${documents.inductionLoss.toFixed(4)} nats; their floor is 0.`,
  ].join('\n')
}

/** The model's README: what it is, what it knows, and how to measure that again. */
export function readme(model: Model, figures: Figures, parameters: number): string {
  const { layers, width, heads, context, vocabulary } = model.config
  return `# The toyworld model

A GPT-2 of ${parameters.toLocaleString('en')} parameters (${layers} layers, width ${width}, ${heads} heads, context ${context}, ${vocabulary} words, tied head,
float32) that knows toyworld, the project's own small language (\`docs/toyworld.md\`). Nothing in it comes from elsewhere:
the text is made by \`datasets/toyworld\`, the training by \`npm run train:toyworld\` on the project's engine.

Measured by \`npx tsx pipeline/toyworld/evaluate.ts\` (float32; texts of a seed that training never used; "right" means that
the answer is the likeliest of all ${vocabulary} words):

${table(figures)}

Facts are asked in every form of every language and register; they are what training taught, so this is memory, shown in
sentences. The answers of the other kinds depend on names or words drawn at random,
so they cannot be known by heart.
`
}

async function main(): Promise<void> {
  const { values: flags } = parseArgs({ options: { model: { type: 'string' }, readme: { type: 'boolean' } } })
  await startEngine()
  const directory = flags.model ?? toyworldModelDirectory()
  const model = await loadModel(directory)
  const parameters = Object.values(model.weights).reduce((sum, weight) => sum + weight.size, 0)
  const figures = measure(model)
  console.log(`${parameters} parameters\n${table(figures)}\n`)
  const missed = targets.filter(([, holds]) => !holds(figures))
  for (const [name, holds] of targets) console.log(`${holds(figures) ? 'met' : 'missed'}: ${name}`)
  if (flags.readme) await writeAtomic(join(directory, 'README.md'), readme(model, figures, parameters))
  model.dispose()
  if (missed.length > 0) process.exitCode = 2
}

await main()
