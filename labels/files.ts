/** The files of a label run: features.parquet, examples.parquet and features.jsonl. */
import { join } from 'node:path'
import { writeAtomic } from '../core/files.ts'
import { writeTable } from '../datasets/tables.ts'
import type { Activations } from '../latents/activations.ts'
import type { Example } from './examples.ts'
import type { Feature } from './feature.ts'

/** Version of the three files; readers refuse others. */
export const labelsSchema = 1

/** Rows of examples.parquet in a row group: one feature's page reads one group or two. */
const exampleGroupRows = 2000

/** Writes features.parquet: a row a latent. */
export async function writeFeatures(directory: string, features: readonly Feature[]): Promise<void> {
  const numbers = (pick: (feature: Feature) => number | null) => ({
    type: 'float64' as const,
    values: features.map(feature => pick(feature) ?? Number.NaN),
  })
  const strings = (pick: (feature: Feature) => string) => ({ type: 'string' as const, values: features.map(pick) })
  const effects = (pick: (feature: Feature) => readonly { effect: number }[]) => ({
    type: 'list<float32>' as const,
    values: features.map(feature => pick(feature).map(({ effect }) => effect)),
  })
  const tokens = (pick: (feature: Feature) => readonly { token: string }[]) => ({
    type: 'list<string>' as const,
    values: features.map(feature => pick(feature).map(({ token }) => token)),
  })
  await writeTable(
    join(directory, 'features.parquet'),
    {
      latent: { type: 'int32', values: features.map(({ latent }) => latent) },
      label: strings(({ label }) => label),
      label_kind: strings(({ labelKind }) => labelKind),
      label_precision: numbers(({ labelPrecision }) => labelPrecision),
      label_recall: numbers(({ labelRecall }) => labelRecall),
      label_f1: numbers(({ labelF1 }) => labelF1),
      label_base_rate: numbers(({ labelBaseRate }) => labelBaseRate),
      density: numbers(({ density }) => density),
      mean_activation: numbers(({ meanActivation }) => meanActivation),
      max_activation: numbers(({ maxActivation }) => maxActivation),
      histogram: { type: 'list<int32>', values: features.map(({ histogram }) => histogram) },
      promoted_tokens: tokens(({ promoted }) => promoted),
      promoted_effects: effects(({ promoted }) => promoted),
      suppressed_tokens: tokens(({ suppressed }) => suppressed),
      suppressed_effects: effects(({ suppressed }) => suppressed),
      verdict: strings(({ evidence }) => evidence?.verdict ?? 'not-run'),
      effect_metric: strings(({ evidence }) => evidence?.metric ?? ''),
      effect: numbers(({ evidence }) => evidence?.effect ?? null),
      effect_low: numbers(({ evidence }) => evidence?.effectLow ?? null),
      effect_high: numbers(({ evidence }) => evidence?.effectHigh ?? null),
      control_relative_effect: numbers(({ evidence }) => evidence?.controlRelativeEffect ?? null),
      p: numbers(({ evidence }) => evidence?.p ?? null),
      q: numbers(({ evidence }) => evidence?.q ?? null),
      ...(features.some(({ stability }) => stability !== undefined)
        ? { stability: numbers(({ stability }) => stability ?? null) }
        : {}),
    },
    { schema: labelsSchema },
  )
}

/** Writes examples.parquet: a row an example, by latent, in row groups of at most 2,000 rows. */
export async function writeExamples(
  directory: string,
  activations: Activations,
  examples: readonly (readonly Example[])[],
  tokenText: (token: number) => string,
): Promise<void> {
  const rows = examples.flatMap((list, latent) => list.map(example => ({ latent, example })))
  const windowOf = (example: Example) => activations.windows[example.window]!
  const tokensOf = (example: Example) => [
    ...windowOf(example).tokens.subarray(example.start, example.start + example.activations.length),
  ]
  await writeTable(
    join(directory, 'examples.parquet'),
    {
      latent: { type: 'int32', values: rows.map(({ latent }) => latent) },
      group: { type: 'string', values: rows.map(({ example }) => example.group) },
      rank: { type: 'int32', values: rows.map(({ example }) => example.rank) },
      window: { type: 'string', values: rows.map(({ example }) => windowOf(example).id) },
      position: { type: 'int32', values: rows.map(({ example }) => example.position) },
      start: { type: 'int32', values: rows.map(({ example }) => example.start) },
      activation: { type: 'float32', values: rows.map(({ example }) => example.activation) },
      tokens: { type: 'list<string>', values: rows.map(({ example }) => tokensOf(example).map(tokenText)) },
      token_ids: { type: 'list<int32>', values: rows.map(({ example }) => tokensOf(example)) },
      activations: { type: 'list<float32>', values: rows.map(({ example }) => [...example.activations]) },
    },
    { rowGroupRows: exampleGroupRows, schema: labelsSchema },
  )
}

/** Writes features.jsonl: one JSON object a line, the record of `Feature` with its schema. */
export async function writeJsonLines(path: string, features: readonly Feature[]): Promise<void> {
  const lines = features.map(feature => JSON.stringify({ schema: labelsSchema, ...feature }))
  await writeAtomic(path, lines.map(line => `${line}\n`).join(''))
}
