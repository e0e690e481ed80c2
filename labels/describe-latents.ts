/** Describes latents, a range at a time: what a process of several does, and what the one that closes the run does. */
import { Pace } from '../core/pace.ts'
import { breathe, type StageContext } from '../core/stage.ts'
import { tf } from '../engine/tf.ts'
import { type Activations, throwIfInterrupted } from '../latents/activations.ts'
import { activityOf, strataFacts, strataOf } from './describe/activity.ts'
import { examplesOf, occurrencesOf } from './describe/examples.ts'
import { type LogitEffects, logitEffects } from './describe/logits.ts'
import { byToken, counterOf, directionsOf, firingTogether, nearestByDecoder } from './describe/nearest.ts'
import { bestRule, ruleFacts, scoreRule } from './describe/rules.ts'
import { firingSums } from './describe/sums.ts'
import { firingTokens } from './describe/tokens.ts'
import { labelOf, ruleRecord } from './describe/words.ts'
import type { Feature } from './feature.ts'
import type { DescribeInputs, Given } from './inputs.ts'
import { type ExampleRow, storedOf } from './tables.ts'
import type { Half } from './text.ts'

/** Latents that are described as one piece of work. */
const latentsInRange = 256

/** Latents from `from` up to but not including `to`. */
export interface LatentRange {
  /** A plain file name. */
  readonly name: string
  readonly from: number
  readonly to: number
}

/** All latents in ranges. */
export function rangesOf(latents: number): LatentRange[] {
  return Array.from({ length: Math.ceil(latents / latentsInRange) }, (_, i) => {
    const from = i * latentsInRange
    return { name: `latents-${String(from).padStart(7, '0')}`, from, to: Math.min(latents, from + latentsInRange) }
  })
}

/** The records of a range, as if no language model had been asked, and the rows of its examples. */
export interface DescribedRange {
  readonly features: readonly Feature[]
  readonly examples: readonly ExampleRow[]
}

/** Describes ranges of latents; `close` frees what it holds. */
export interface Describer {
  describe(range: LatentRange, signal: AbortSignal, onLatents?: (done: number) => void): Promise<DescribedRange>
  close(): void
}

/** Prepares what all latents are described from. Throws an `InterruptedError` once the signal is aborted. */
export async function describerOf(
  { model, sae, dataset, tokenizer, stability, config }: DescribeInputs,
  { hashes, concepts, evidence }: Given,
  { discovery, validation }: Readonly<Record<Half, Activations>>,
  tokenText: (token: number) => string,
  { seed, signal }: Pick<StageContext, 'seed' | 'signal'>,
): Promise<Describer> {
  /** Each of these passes over all tokens of a half. */
  const heard = async <T>(pass: () => T): Promise<T> => {
    await breathe()
    throwIfInterrupted(signal)
    return pass()
  }
  const discoveryFacts = await heard(() => ruleFacts(discovery, dataset, concepts))
  const validationFacts = await heard(() => ruleFacts(validation, dataset, concepts))
  const strata = await heard(() => strataFacts(discovery, dataset))
  const occurrences = await heard(() => occurrencesOf(discovery))
  const tokens = await heard(() => byToken(discovery))
  const counter = counterOf(sae.latents)
  const decoder = sae.decoder()
  const directions = directionsOf(decoder)
  const unembedding = model.unembedding()
  const readsLogits = decoder.shape[1] === unembedding.shape[0]
  const vocabulary = Math.min(tokenizer.vocabulary, unembedding.shape[1])
  const named = (list: LogitEffects['promoted']) =>
    list.map(({ token, effect }) => ({ token: tokenText(token), effect }))
  const { topExamples: top, bands, perBand, context: around, silentExamples: silent } = config
  const shown = { top, bands, perBand, context: around, silent }

  const describeOne = (
    latent: number,
    direct: LogitEffects | undefined,
    nearest: Feature['nearest'],
  ): { feature: Feature; examples: ExampleRow[] } => {
    const sums = firingSums(discovery, latent)
    const found = bestRule(discoveryFacts, latent, sums)
    const score = found && scoreRule(validationFacts, latent, found.rule)
    const rule = found ? ruleRecord(found.rule, tokenText) : null
    const firing = firingTokens(discoveryFacts, latent, config.tokensShown, tokenText, sums)
    const feature: Feature = {
      latent,
      ...labelOf(rule, score, config.minimumF1),
      rule,
      labelPrecision: score?.precision ?? null,
      labelRecall: score?.recall ?? null,
      labelF1: score?.f1 ?? null,
      labelBaseRate: score?.baseRate ?? null,
      explanation: null,
      ...activityOf(discovery, latent, config.histogramBins),
      strata: strataOf(discovery, latent, strata),
      ...firing,
      promoted: named(direct?.promoted ?? []),
      suppressed: named(direct?.suppressed ?? []),
      logitHistogram: direct?.histogram ?? null,
      nearest,
      together: firingTogether(discovery, latent, config.neighbours, tokens, counter),
      stability: stability?.[latent] ?? null,
      evidence: evidence.get(latent) ?? null,
      hashes,
    }
    const hard = { occurrences, tokens: firing.tokens.map(({ tokenId }) => tokenId) }
    const examples = examplesOf(discovery, latent, shown, seed, hard).map(example => {
      const stored = storedOf(discovery, example, tokenText)
      return { latent, example: { ...stored, activations: [...example.activations] } }
    })
    return { feature, examples }
  }

  return {
    async describe({ from, to }, signal, onLatents) {
      const pace = new Pace(() => throwIfInterrupted(signal))
      const features: Feature[] = []
      const examples: ExampleRow[] = []
      const rows = { from, to }
      const effects = readsLogits ? logitEffects(decoder, unembedding, vocabulary, config.logits, rows) : undefined
      const nearest = nearestByDecoder(directions, config.neighbours, rows)
      for (let latent = from; latent < to; latent++) {
        const direct = effects?.next().value as LogitEffects | undefined
        const one = describeOne(latent, direct, nearest.next().value as Feature['nearest'])
        features.push(one.feature)
        examples.push(...one.examples)
        if (!pace.isDue()) continue
        onLatents?.(latent + 1)
        await pace.rest()
      }
      onLatents?.(to)
      await pace.rest()
      return { features, examples }
    },
    close: () => tf.dispose([decoder, directions, unembedding]),
  }
}
