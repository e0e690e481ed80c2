/** The label stage: what each latent is about, on held-out text, with scores, examples and its evidence. */
import { join } from 'node:path'
import { writeAtomic } from '../core/files.ts'
import { mustKnow } from '../core/nearest.ts'
import { quote } from '../core/quote.ts'
import { breathe, type StageContext } from '../core/stage.ts'
import type { Split, TokenDataset } from '../datasets/document.ts'
import { drawWindows } from '../datasets/draw.ts'
import type { Tokenizer } from '../datasets/tokenizer/index.ts'
import { encodeWindows, throwIfInterrupted } from '../latents/activations.ts'
import type { Model } from '../model/model.ts'
import { mustSpeakByLatent } from '../sae/by-latent.ts'
import type { Sae } from '../sae/sae.ts'
import { type Evidence, evidenceByLatent } from '../validation/evidence.ts'
import { mustBelong } from './belongs.ts'
import type { LabelConfig } from './config.ts'
import { activityOf, strataFacts, strataOf } from './describe/activity.ts'
import { examplesOf, occurrencesOf } from './describe/examples.ts'
import { type LogitEffects, logitEffects } from './describe/logits.ts'
import { byToken, firingTogether, nearestByDecoder } from './describe/nearest.ts'
import { bestRule, ruleFacts, scoreRule } from './describe/rules.ts'
import { firingTokens } from './describe/tokens.ts'
import { labelOf, labelOfExplanation, ruleRecord } from './describe/words.ts'
import type { Explain } from './explain/explainer.ts'
import type { Explanation } from './explanation.ts'
import type { Feature } from './feature.ts'
import { FeatureLines } from './files.ts'
import { type ExampleRow, exampleColumns, featureColumns, openExamples, openFeatures, storedOf } from './tables.ts'

/** Evidence to join, and what messages call it and what it is about. */
export interface JoinedEvidence {
  readonly evidence: Evidence
  readonly name?: string
  readonly names?: Partial<Record<'sae' | 'model' | 'dataset', string>>
}

/** What `label` works on. */
export interface LabelInputs {
  readonly model: Model
  readonly sae: Sae
  readonly dataset: TokenDataset
  readonly tokenizer: Pick<Tokenizer, 'token' | 'vocabulary'>
  readonly evidence?: JoinedEvidence | undefined
  /** |cosine| of each latent with its partner in another SAE, null without one. */
  readonly stability?: readonly (number | null)[] | undefined
  readonly config: LabelConfig
  /** Asks a language model about latents; absent where none is named. */
  readonly explain?: Explain | undefined
  /** What messages call the SAE, model and text. */
  readonly names?: JoinedEvidence['names']
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
 * the latents at a time. Throws a `UserError` for evidence about another SAE, model or text, and for concepts that the dataset
 * does not have.
 */
export async function label(context: StageContext, inputs: LabelInputs): Promise<LabelSummary> {
  const { model, sae, dataset, tokenizer, stability, config } = inputs
  mustSpeakByLatent(sae, 'label')
  const hashes = { sae: sae.hash, model: model.hash, dataset: dataset.hash }
  const evidence = joined(inputs, hashes)
  const concepts = config.concepts ?? dataset.concepts
  mustKnow(concepts, dataset.concepts, { key: 'concepts', what: `the dataset ${quote(dataset.name)} has no concept` })
  const { progress } = context
  const collect = async (split: Split) => {
    const windows = drawWindows(dataset, { split, purpose: 'label', seed: context.seed, tokens: config.tokens })
    progress.start(`Encoding ${split} text`, windows.length, 'windows')
    const activations = await encodeWindows(model, sae, windows, {
      batchTokens: config.batchTokens,
      signal: context.signal,
      onBatch: done => progress.update(done),
    })
    progress.finish()
    return activations
  }
  const discovery = await collect('discovery')
  const validation = await collect('validation')
  const discoveryFacts = ruleFacts(discovery, dataset, concepts)
  const validationFacts = ruleFacts(validation, dataset, concepts)
  const strata = strataFacts(discovery, dataset)
  const occurrences = occurrencesOf(discovery)
  const tokens = byToken(discovery)
  const counter = new Uint32Array(sae.latents)
  const tokenText = remembering(token => tokenizer.token(token))
  const explanations: ReadonlyMap<number, Explanation> =
    (await inputs.explain?.({ discovery, validation, tokenText })) ?? new Map()

  const decoder = sae.decoder()
  const unembedding = model.unembedding()
  const readsLogits = decoder.shape[1] === unembedding.shape[0]
  const vocabulary = Math.min(tokenizer.vocabulary, unembedding.shape[1])
  const effects = readsLogits ? logitEffects(decoder, unembedding, vocabulary, config.logits) : undefined
  const nearest = nearestByDecoder(decoder, config.neighbours)
  const named = (list: LogitEffects['promoted']) =>
    list.map(({ token, effect }) => ({ token: tokenText(token), effect }))

  const tables = { features: openFeatures(context.directory), examples: openExamples(context.directory) }
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
    for (let latent = 0; latent < sae.latents; latent++) {
      const found = bestRule(discoveryFacts, latent)
      const score = found && scoreRule(validationFacts, latent, found.rule)
      const rule = found ? ruleRecord(found.rule, tokenText) : null
      const explanation = explanations.get(latent) ?? null
      const direct = effects?.next().value as LogitEffects | undefined
      const firing = firingTokens(discoveryFacts, latent, config.tokensShown, tokenText)
      const byRule = labelOf(rule, score, config.minimumF1)
      const byModel = explanation && labelOfExplanation(explanation)
      const feature: Feature = {
        latent,
        ...(byModel && byModel.label !== null ? byModel : byRule),
        rule,
        labelPrecision: score?.precision ?? null,
        labelRecall: score?.recall ?? null,
        labelF1: score?.f1 ?? null,
        labelBaseRate: score?.baseRate ?? null,
        explanation,
        ...activityOf(discovery, latent, config.histogramBins),
        strata: strataOf(discovery, latent, strata),
        ...firing,
        promoted: named(direct?.promoted ?? []),
        suppressed: named(direct?.suppressed ?? []),
        logitHistogram: direct?.histogram ?? null,
        nearest: nearest.next().value as Feature['nearest'],
        together: firingTogether(discovery, latent, config.neighbours, tokens, counter),
        stability: stability?.[latent] ?? null,
        evidence: evidence.get(latent) ?? null,
        hashes,
      }
      tally.add(feature)
      lines.add(feature)
      features.push(feature)
      const { topExamples: top, bands, perBand, context: around, silentExamples: silent } = config
      const hard = { occurrences, tokens: firing.tokens.map(({ tokenId }) => tokenId) }
      for (const example of examplesOf(
        discovery,
        latent,
        { top, bands, perBand, context: around, silent },
        context.seed,
        hard,
      ))
        examples.push({ latent, example: storedOf(discovery, example, tokenText) })
      if (features.length === written || latent === sae.latents - 1) await write()
      if (latent % 64 === 63) {
        progress.update(latent + 1)
        await breathe()
        throwIfInterrupted(context.signal)
      }
    }
    await tables.features.close()
    await tables.examples.close()
  } catch (error) {
    await tables.features.abandon()
    await tables.examples.abandon()
    throw error
  } finally {
    nearest.return(undefined)
    decoder.dispose()
    unembedding.dispose()
  }
  await writeAtomic(join(context.directory, 'features.jsonl'), lines.bytes())
  progress.finish()
  return tally.summary(discovery.tokens + validation.tokens)
}

/** A token's text, looked up once. */
function remembering(text: (token: number) => string): (token: number) => string {
  const known = new Map<number, string>()
  return token => {
    const found = known.get(token) ?? text(token)
    known.set(token, found)
    return found
  }
}

/** The evidence by latent, once it is known to belong. */
function joined({ evidence: given, names = {} }: LabelInputs, hashes: Feature['hashes']) {
  if (!given) return new Map<number, never>()
  const { evidence, name, names: theirs = {} } = given
  const what = `the evidence${name === undefined ? '' : ` of ${name}`}`
  mustBelong({ what, hashes: evidence.hashes, names: theirs }, { what: 'what is to be labelled', hashes, names })
  return evidenceByLatent(evidence)
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
