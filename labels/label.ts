/** The label stage: what each latent is about, on held-out text, with scores, examples and its evidence. */
import { join } from 'node:path'
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
import { activationSummary, labelOf, ruleRecord } from './describe.ts'
import { examplesOf } from './examples.ts'
import { type Feature, isLabelled } from './feature.ts'
import { writeExamples, writeFeatures, writeJsonLines } from './files.ts'
import { logitEffects } from './logits.ts'
import { bestRule, ruleFacts, scoreRule } from './rules.ts'

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
  /** Mean F1 of all rules, and of those that are labels, on the half that did not choose them; null where there is none. */
  readonly meanRuleF1: number | null
  readonly meanF1: number | null
  readonly validated: number
  readonly tokens: number
}

/**
 * Describes every latent. Rules and examples come from the discovery half of the held-out windows, scores from the
 * validation half. Writes features.parquet, examples.parquet and features.jsonl into the context's directory. Throws a
 * `UserError` for evidence about another SAE, model or text, and for concepts that the dataset does not have.
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

  const decoder = sae.decoder()
  const unembedding = model.unembedding()
  const readsLogits = decoder.shape[1] === unembedding.shape[0]
  const effects = readsLogits
    ? logitEffects(decoder, unembedding, Math.min(tokenizer.vocabulary, unembedding.shape[1]), config.logits)
    : Array.from({ length: sae.latents }, () => ({ promoted: [], suppressed: [] }))
  decoder.dispose()
  unembedding.dispose()

  const tokenText = (token: number) => tokenizer.token(token)
  const named = (list: readonly { token: number; effect: number }[]) =>
    list.map(({ token, effect }) => ({ token: tokenText(token), effect }))
  progress.start('Describing latents', sae.latents, 'latents')
  const features: Feature[] = []
  const examples = []
  for (let latent = 0; latent < sae.latents; latent++) {
    const found = bestRule(discoveryFacts, latent)
    const score = found && scoreRule(validationFacts, latent, found.rule)
    const rule = found ? ruleRecord(found.rule, tokenText) : null
    features.push({
      latent,
      ...labelOf(rule, score, config.minimumF1),
      rule,
      labelPrecision: score?.precision ?? null,
      labelRecall: score?.recall ?? null,
      labelF1: score?.f1 ?? null,
      labelBaseRate: score?.baseRate ?? null,
      ...activationSummary(discovery, latent, config.histogramBins),
      promoted: named(effects[latent]!.promoted),
      suppressed: named(effects[latent]!.suppressed),
      stability: stability?.[latent] ?? null,
      evidence: evidence.get(latent) ?? null,
      hashes,
    })
    examples.push(
      examplesOf(
        discovery,
        latent,
        { top: config.topExamples, bands: config.bands, perBand: config.perBand, context: config.context },
        context.seed,
      ),
    )
    if (latent % 64 === 63) {
      progress.update(latent + 1)
      await breathe()
      throwIfInterrupted(context.signal)
    }
  }
  await writeFeatures(context.directory, features)
  await writeExamples(context.directory, discovery, examples, tokenText)
  await writeJsonLines(join(context.directory, 'features.jsonl'), features)
  progress.finish()
  return summaryOf(features, discovery.tokens + validation.tokens)
}

/** The evidence by latent, once it is known to belong. */
function joined({ evidence: given, names = {} }: LabelInputs, hashes: Feature['hashes']) {
  if (!given) return new Map<number, never>()
  const { evidence, name, names: theirs = {} } = given
  const what = `the evidence${name === undefined ? '' : ` of ${name}`}`
  mustBelong({ what, hashes: evidence.hashes, names: theirs }, { what: 'what is to be labelled', hashes, names })
  return evidenceByLatent(evidence)
}

function summaryOf(features: readonly Feature[], tokens: number): LabelSummary {
  const ruled = features.filter(({ rule }) => rule !== null)
  const labelled = ruled.filter(isLabelled)
  const meanF1 = (of: readonly Feature[]) =>
    of.length > 0 ? of.reduce((sum, { labelF1 }) => sum + labelF1!, 0) / of.length : null
  return {
    latents: features.length,
    alive: features.filter(({ density }) => density > 0).length,
    labelled: labelled.length,
    belowMinimumF1: ruled.length - labelled.length,
    labelledByConcept: labelled.filter(({ labelKind }) => labelKind === 'concept').length,
    meanRuleF1: meanF1(ruled),
    meanF1: meanF1(labelled),
    validated: features.filter(({ evidence }) => evidence?.verdict === 'pass').length,
    tokens,
  }
}
