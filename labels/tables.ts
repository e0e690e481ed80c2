/** The tables of a label run: features.parquet, a row a latent, and examples.parquet, a row an example. */
import { join } from 'node:path'
import { openTableWriter, type TableWriter } from '../datasets/table-writer.ts'
import type { Column } from '../datasets/tables.ts'
import type { Activations } from '../latents/activations.ts'
import type { Example } from './describe/examples.ts'
import type { BinaryScore, SimulationScore } from './explanation.ts'
import { type Feature, labelsSchema } from './feature.ts'

/** The columns of features.parquet. What is not there is null, and columns that may have nulls say so always. */
export function featureColumns(features: readonly Feature[]): Record<string, Column> {
  const column = <T extends Column['type']>(type: T, pick: (feature: Feature) => unknown, nullable = false) =>
    ({ type, values: features.map(pick), nullable }) as Column
  const number = (pick: (feature: Feature) => number | null | undefined) =>
    column('float64', feature => pick(feature) ?? null, true)
  const count = (pick: (feature: Feature) => number | null | undefined) =>
    column('int32', feature => pick(feature) ?? null, true)
  const text = (pick: (feature: Feature) => string | null | undefined, nullable = true) =>
    column('string', feature => pick(feature) ?? null, nullable)
  const texts = <T>(list: (feature: Feature) => readonly T[], pick: (item: T) => string) =>
    column('list<string>', feature => list(feature).map(pick))
  const whole = <T>(list: (feature: Feature) => readonly T[], pick: (item: T) => number) =>
    column('list<int32>', feature => list(feature).map(pick))
  const reals = <T>(list: (feature: Feature) => readonly T[], pick: (item: T) => number) =>
    column('list<float32>', feature => list(feature).map(pick))
  const binary = (name: string, pick: (feature: Feature) => BinaryScore | null | undefined) => ({
    [name]: number(feature => pick(feature)?.value),
    [`${name}_low`]: number(feature => pick(feature)?.low),
    [`${name}_high`]: number(feature => pick(feature)?.high),
    [`${name}_examples`]: count(feature => examplesIn(pick(feature))),
    [`${name}_unanswered`]: count(feature => pick(feature)?.unanswered),
  })
  const simulation = (pick: (feature: Feature) => SimulationScore | null | undefined) => ({
    simulation: number(feature => pick(feature)?.value),
    simulation_low: number(feature => pick(feature)?.low),
    simulation_high: number(feature => pick(feature)?.high),
    simulation_examples: count(feature => pick(feature)?.examples),
    simulation_unanswered: count(feature => pick(feature)?.unanswered),
  })
  const firing = (name: string, list: (feature: Feature) => Feature['tokens']) => ({
    [name]: texts(list, ({ token }) => token),
    [`${name}_ids`]: whole(list, ({ tokenId }) => tokenId),
    [`${name}_fires`]: whole(list, ({ fires }) => fires),
    [`${name}_occurs`]: whole(list, ({ occurs }) => occurs),
    [`${name}_share`]: reals(list, ({ share }) => share),
  })
  return {
    latent: column('int32', ({ latent }) => latent),
    label: text(({ label }) => label),
    label_kind: text(({ labelKind }) => labelKind, false),
    label_score_name: text(({ labelScoreName }) => labelScoreName),
    label_score: number(({ labelScore }) => labelScore),
    label_score_low: number(({ labelScoreLow }) => labelScoreLow),
    label_score_high: number(({ labelScoreHigh }) => labelScoreHigh),
    label_coverage: number(({ labelCoverage }) => labelCoverage),
    label_source: text(({ labelSource }) => labelSource),
    label_precision: number(({ labelPrecision }) => labelPrecision),
    label_recall: number(({ labelRecall }) => labelRecall),
    label_f1: number(({ labelF1 }) => labelF1),
    label_base_rate: number(({ labelBaseRate }) => labelBaseRate),
    rule_kind: text(({ rule }) => rule?.kind),
    rule_tokens: column('list<string>', ({ rule }) => rule?.tokens ?? null, true),
    rule_token_ids: column('list<int32>', ({ rule }) => rule?.tokenIds ?? null, true),
    rule_concept: text(({ rule }) => rule?.concept),
    explanation: text(({ explanation }) => explanation?.text),
    explanation_model: text(({ explanation }) => explanation?.model),
    explanation_scorer: text(({ explanation }) => explanation?.scorer),
    explanation_coverage: number(({ explanation }) => explanation?.coverage),
    ...binary('detection', ({ explanation }) => explanation?.detection),
    ...binary('fuzzing', ({ explanation }) => explanation?.fuzzing),
    ...simulation(({ explanation }) => explanation?.simulation),
    scorer_kappa: number(({ explanation }) => explanation?.agreement.find(one => one.with !== 'human')?.kappa),
    human_kappa: number(({ explanation }) => explanation?.agreement.find(one => one.with === 'human')?.kappa),
    density: column('float64', ({ density }) => density),
    strata: texts(
      ({ strata }) => strata,
      ({ stratum }) => stratum,
    ),
    strata_tokens: whole(
      ({ strata }) => strata,
      ({ tokens }) => tokens,
    ),
    strata_density: reals(
      ({ strata }) => strata,
      ({ density }) => density,
    ),
    mean_activation: number(({ meanActivation }) => meanActivation),
    max_activation: column('float64', ({ maxActivation }) => maxActivation),
    histogram: column('list<int32>', ({ histogram }) => histogram.counts),
    histogram_edges: column('list<float32>', ({ histogram }) => histogram.edges),
    windows: column('float64', ({ windows }) => windows),
    mean_run: number(({ meanRun }) => meanRun),
    distinct_tokens: column('int32', ({ distinctTokens }) => distinctTokens),
    ...firing('tokens', ({ tokens }) => tokens),
    ...firing('previous_tokens', ({ previousTokens }) => previousTokens),
    promoted_tokens: texts(
      ({ promoted }) => promoted,
      ({ token }) => token,
    ),
    promoted_effects: reals(
      ({ promoted }) => promoted,
      ({ effect }) => effect,
    ),
    suppressed_tokens: texts(
      ({ suppressed }) => suppressed,
      ({ token }) => token,
    ),
    suppressed_effects: reals(
      ({ suppressed }) => suppressed,
      ({ effect }) => effect,
    ),
    logit_histogram: column('list<int32>', ({ logitHistogram }) => logitHistogram?.counts ?? null, true),
    logit_histogram_edges: column('list<float32>', ({ logitHistogram }) => logitHistogram?.edges ?? null, true),
    nearest: whole(
      ({ nearest }) => nearest,
      ({ latent }) => latent,
    ),
    nearest_cosine: reals(
      ({ nearest }) => nearest,
      ({ cosine }) => cosine,
    ),
    together: whole(
      ({ together }) => together,
      ({ latent }) => latent,
    ),
    together_share: reals(
      ({ together }) => together,
      ({ share }) => share,
    ),
    together_jaccard: reals(
      ({ together }) => together,
      ({ jaccard }) => jaccard,
    ),
    verdict: text(({ evidence }) => evidence?.verdict ?? 'not-run', false),
    tier: text(({ evidence }) => evidence?.tier),
    intervention: text(({ evidence }) => evidence?.intervention),
    dose: number(({ evidence }) => evidence?.dose),
    concept: text(({ evidence }) => evidence?.concept),
    documents: count(({ evidence }) => evidence?.documents),
    effect_metric: text(({ evidence }) => evidence?.metric),
    effect: number(({ evidence }) => evidence?.effect),
    effect_low: number(({ evidence }) => evidence?.effectLow),
    effect_high: number(({ evidence }) => evidence?.effectHigh),
    control_relative_effect: number(({ evidence }) => evidence?.controlRelativeEffect),
    p: number(({ evidence }) => evidence?.p),
    q: number(({ evidence }) => evidence?.q),
    alpha: number(({ evidence }) => evidence?.rule.alpha),
    smallest_effect: number(({ evidence }) => evidence?.rule.smallestEffect),
    stability: number(({ stability }) => stability),
    sae_hash: text(({ hashes }) => hashes.sae, false),
    model_hash: text(({ hashes }) => hashes.model, false),
    dataset_hash: text(({ hashes }) => hashes.dataset, false),
  }
}

/** Examples that were answered. */
const examplesIn = (score: BinaryScore | null | undefined): number | null =>
  score ? score.positives + score.negatives : null

/** Opens features.parquet for writing, in row groups of at most 2,000 rows. */
export const openFeatures = (directory: string): TableWriter =>
  openTableWriter(join(directory, 'features.parquet'), {
    ...{ rowGroupRows: featureGroupRows, schema: labelsSchema, compression: 'zstd' },
  })

/** Opens examples.parquet for writing, by latent, in row groups of at most 2,000 rows. */
export const openExamples = (directory: string): TableWriter =>
  openTableWriter(join(directory, 'examples.parquet'), {
    ...{ rowGroupRows: exampleGroupRows, schema: labelsSchema, compression: 'zstd' },
  })

/** An example as examples.parquet holds it: its window by name, and its tokens as texts. */
export interface StoredExample extends Omit<Example, 'window' | 'activations'> {
  readonly window: string
  readonly tokens: readonly string[]
  readonly activations: ArrayLike<number>
}

/** An example with what the table holds of its window. */
export function storedOf(
  { windows }: Activations,
  example: Example,
  tokenText: (token: number) => string,
): StoredExample {
  const { tokens, id } = windows[example.window]!
  const shown = tokens.subarray(example.start, example.start + example.activations.length)
  return { ...example, window: id, tokens: Array.from(shown, tokenText) }
}

/** An example and whose it is. */
export interface ExampleRow {
  readonly latent: number
  readonly example: StoredExample
}

/** The columns of examples.parquet. */
export function exampleColumns(rows: readonly ExampleRow[]): Record<string, Column> {
  const column = <T extends Column['type']>(type: T, pick: (row: StoredExample) => unknown, nullable = false) =>
    ({ type, values: rows.map(({ example }) => pick(example)), nullable }) as Column
  return {
    latent: { type: 'int32', values: rows.map(({ latent }) => latent) },
    group: column('string', ({ group }) => group),
    rank: column('int32', ({ rank }) => rank),
    window: column('string', ({ window }) => window),
    position: column('int32', ({ position }) => position),
    start: column('int32', ({ start }) => start),
    activation: column('float32', ({ activation }) => activation),
    band_low: column('float32', ({ low }) => low, true),
    band_high: column('float32', ({ high }) => high, true),
    band_share: column('float32', ({ share }) => share, true),
    tokens: column('list<string>', ({ tokens }) => tokens),
    activations: column('list<float32>', ({ activations }) => activations),
  }
}

/** Rows of features.parquet in a row group: whoever shows one feature reads its lists from one group. */
export const featureGroupRows = 2000

/** Rows of examples.parquet in a row group: one feature's page reads one group or two. */
export const exampleGroupRows = 2000

/** Writes features.parquet at once. */
export async function writeFeatures(directory: string, features: readonly Feature[]): Promise<void> {
  const table = openFeatures(directory)
  await table.push(featureColumns(features))
  await table.close()
}
