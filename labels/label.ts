/** The label stage: what each latent is about, on held-out text, with scores, examples and its evidence. */
import { join } from 'node:path'
import { breathe, type StageContext } from '../core/stage.ts'
import type { Split, TokenDataset } from '../datasets/document.ts'
import { drawWindows } from '../datasets/draw.ts'
import type { Tokenizer } from '../datasets/tokenizer/index.ts'
import { encodeWindows, throwIfInterrupted } from '../latents/activations.ts'
import type { Model } from '../model/model.ts'
import type { Sae } from '../sae/sae.ts'
import type { EvidenceSummary } from '../validation/evidence.ts'
import type { LabelConfig } from './config.ts'
import { activationSummary, labelText } from './describe.ts'
import { examplesOf } from './examples.ts'
import type { Feature } from './feature.ts'
import { writeExamples, writeFeatures, writeJsonLines } from './files.ts'
import { logitEffects } from './logits.ts'
import { bestRule, ruleFacts, scoreRule } from './rules.ts'

/** What `label` works on; `evidence` by latent, from `evidenceByLatent`. */
export interface LabelInputs {
  readonly model: Model
  readonly sae: Sae
  readonly dataset: TokenDataset
  readonly tokenizer: Pick<Tokenizer, 'token' | 'vocabulary'>
  readonly evidence: ReadonlyMap<number, EvidenceSummary>
  /** |cosine| of each latent with its partner in another SAE. */
  readonly stability?: Float32Array | undefined
  readonly config: LabelConfig
}

/** Figures of a label run. */
export interface LabelSummary {
  readonly [key: string]: number
  readonly latents: number
  readonly alive: number
  readonly labelled: number
  readonly labelledByConcept: number
  /** Mean F1 of the rule labels on the half that did not choose them. */
  readonly meanF1: number
  readonly validated: number
  readonly tokens: number
}

/**
 * Describes every latent. Rules and examples come from the discovery half of the held-out windows, scores from the
 * validation half. Writes features.parquet, examples.parquet and features.jsonl into the context's directory.
 */
export async function label(context: StageContext, inputs: LabelInputs): Promise<LabelSummary> {
  const { model, sae, dataset, tokenizer, evidence, stability, config } = inputs
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
  const concepts = config.concepts ?? dataset.concepts
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
    features.push({
      latent,
      ...labelText(found?.rule, found?.score, effects[latent]!, tokenText, config.minimumF1),
      labelPrecision: score?.precision ?? null,
      labelRecall: score?.recall ?? null,
      labelF1: score?.f1 ?? null,
      labelBaseRate: score?.baseRate ?? null,
      ...activationSummary(discovery, latent, config.histogramBins),
      promoted: named(effects[latent]!.promoted),
      suppressed: named(effects[latent]!.suppressed),
      ...(stability ? { stability: stability[latent]! } : {}),
      evidence: evidence.get(latent) ?? null,
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

function summaryOf(features: readonly Feature[], tokens: number): LabelSummary {
  const alive = features.filter(({ density }) => density > 0)
  const ruled = features.filter(({ labelKind }) => !['none', 'promotes'].includes(labelKind))
  return {
    latents: features.length,
    alive: alive.length,
    labelled: ruled.length,
    labelledByConcept: ruled.filter(({ labelKind }) => labelKind === 'concept').length,
    meanF1: ruled.length > 0 ? ruled.reduce((sum, { labelF1 }) => sum + (labelF1 ?? 0), 0) / ruled.length : 0,
    validated: features.filter(({ evidence }) => evidence?.verdict === 'pass').length,
    tokens,
  }
}
