/** The label stage: what each latent is about, on held-out text, with scores, examples and its evidence. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { removePartials, writeAtomic } from '../core/files.ts'
import type { StageContext } from '../core/stage.ts'
import { Working, workingFolder } from '../core/working.ts'
import { type Activations, tokensRead } from '../latents/activations.ts'
import { labelOfExplanation } from './describe/words.ts'
import { describerOf, rangesOf } from './describe-latents.ts'
import type { Explain } from './explain/explainer.ts'
import type { Explanation } from './explanation.ts'
import type { Feature } from './feature.ts'
import { FeatureLines } from './files.ts'
import { checkInputs, type DescribeInputs } from './inputs.ts'
import { type ExampleRow, exampleColumns, featureColumns, openExamples, openFeatures } from './tables.ts'
import { drawText, type Half, readHalf, textsOf } from './text.ts'

/** What `label` works on. */
export interface LabelInputs extends DescribeInputs {
  /** Asks a language model about latents; absent where none is named. */
  readonly explain?: Explain | undefined
}

/** Figures of a label run. */
export interface LabelSummary {
  readonly [key: string]: number | null
  readonly latents: number
  /** Latents that fire on discovery text; for each of them a rule is found. */
  readonly alive: number
  /** Latents whose rule is a label, and those whose rule scores less than `minimumF1`. */
  readonly labelled: number
  readonly belowMinimumF1: number
  readonly labelledByConcept: number
  /** Latents whose label is a language model's explanation, and those that one was asked about. */
  readonly labelledByModel: number
  readonly explained: number
  /** Mean F1 of all rules, and of those that are labels, on the half that did not choose them; null where there is none. */
  readonly meanRuleF1: number | null
  readonly meanF1: number | null
  readonly validated: number
  readonly tokens: number
}

/** Latents whose rows are written at once. */
const written = 1024

/**
 * Describes every latent. Rules, statistics and examples come from the discovery half of the held-out windows, scores from
 * the validation half. Writes features.parquet, examples.parquet and features.jsonl into the context's directory, a piece of
 * the latents at a time; what other processes left there in `working` is taken, and what a cut call finished. Throws a
 * `UserError` for evidence about another SAE, model or text, and for concepts that the dataset does not have.
 */
export async function label(context: StageContext, inputs: LabelInputs): Promise<LabelSummary> {
  const { directory, progress, signal } = context
  const { sae, dataset, tokenizer, config } = inputs
  const given = checkInputs(inputs)
  await removePartials(directory)
  const text = await drawText(dataset, config, context)
  const tokenText = textsOf(tokenizer)
  const working = new Working(directory)
  const ranges = rangesOf(sae.latents)

  // Text that is nowhere needed any more is not read again.
  const needed = inputs.explain !== undefined || !ranges.every(({ name }) => working.has(name))
  const activations = needed ? await readHalves(context, inputs, text) : undefined
  const explanations: ReadonlyMap<number, Explanation> =
    (activations && (await inputs.explain?.({ ...activations, tokenText }))) ?? new Map()
  const describer = activations && (await describerOf(inputs, given, activations, tokenText, context))

  const tables = { features: openFeatures(directory), examples: openExamples(directory) }
  const lines = new FeatureLines()
  const tally = new Tally()
  let features: Feature[] = []
  let examples: ExampleRow[] = []
  const write = async () => {
    await tables.features.push(featureColumns(features))
    await tables.examples.push(exampleColumns(examples))
    features = []
    examples = []
  }
  progress.start('Describing latents', sae.latents, 'latents')
  try {
    for (const range of ranges) {
      const described = await working.part(range.name, () =>
        describer!.describe(range, signal, done => progress.update(done)),
      )
      for (const plain of described.features) {
        const feature = withExplanation(plain, explanations.get(plain.latent))
        tally.add(feature)
        lines.add(feature)
        features.push(feature)
      }
      for (const row of described.examples) examples.push(row)
      if (features.length >= written || range.to === sae.latents) await write()
      progress.update(range.to)
    }
    await tables.features.close()
    await tables.examples.close()
  } catch (error) {
    await working.settled().catch(() => {})
    await tables.features.abandon()
    await tables.examples.abandon()
    throw error
  } finally {
    describer?.close()
  }
  await writeAtomic(join(directory, 'features.jsonl'), lines.bytes())
  await working.clear()
  progress.finish()
  return tally.summary(tokensRead(text.discovery.windows) + tokensRead(text.validation.windows))
}

/** Encodes both halves, but for the pieces that are there. */
async function readHalves(
  { directory, progress, signal }: StageContext,
  { model, sae }: LabelInputs,
  text: Awaited<ReturnType<typeof drawText>>,
): Promise<Record<Half, Activations>> {
  const folder = join(directory, workingFolder)
  const read = async (half: Half) => {
    let done = 0
    progress.start(`Encoding ${half} text`, text[half].windows.length, 'windows')
    const activations = await readHalf(
      text[half],
      async ({ name }) => (existsSync(join(folder, name)) ? folder : undefined),
      {
        ...{ model, sae, signal },
        onBatch(windows) {
          done += windows
          progress.update(done)
        },
      },
    )
    progress.finish()
    return activations
  }
  return { discovery: await read('discovery'), validation: await read('validation') }
}

/** A record with what a language model said of its latent, which is the label where it holds. */
function withExplanation(feature: Feature, explanation: Explanation | undefined): Feature {
  if (!explanation) return feature
  const said = labelOfExplanation(explanation)
  return { ...feature, ...(said.label === null ? {} : said), explanation }
}

/** What a label run came to, counted as latents go by. */
class Tally {
  readonly #counts = { latents: 0, alive: 0, labelled: 0, belowMinimumF1: 0, labelledByConcept: 0, labelledByModel: 0 }
  readonly #f1 = { rules: 0, sumOfRules: 0, labels: 0, sumOfLabels: 0 }
  #explained = 0
  #validated = 0

  add({ density, label, labelKind, rule, labelF1, explanation, evidence }: Feature): void {
    const counts = this.#counts
    counts.latents++
    if (density > 0) counts.alive++
    if (label !== null) counts.labelled++
    if (labelKind === 'concept') counts.labelledByConcept++
    if (labelKind === 'explanation') counts.labelledByModel++
    if (explanation) this.#explained++
    if (evidence?.verdict === 'pass') this.#validated++
    if (rule === null) return
    this.#f1.rules++
    this.#f1.sumOfRules += labelF1!
    if (labelKind === 'none') counts.belowMinimumF1++
    else if (labelKind !== 'explanation') {
      this.#f1.labels++
      this.#f1.sumOfLabels += labelF1!
    }
  }

  summary(tokens: number): LabelSummary {
    const { rules, sumOfRules, labels, sumOfLabels } = this.#f1
    return {
      ...this.#counts,
      explained: this.#explained,
      meanRuleF1: rules > 0 ? sumOfRules / rules : null,
      meanF1: labels > 0 ? sumOfLabels / labels : null,
      validated: this.#validated,
      tokens,
    }
  }
}
