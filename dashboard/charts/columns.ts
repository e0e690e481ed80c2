/** The columns of the feature browser. */
import { short } from './scale.ts'

type Row = Readonly<Record<string, unknown>>

/** A column of features.parquet as the browser shows it. */
export interface Columns {
  readonly name: string
  readonly title: string
  readonly definition: string
  readonly isNumber: boolean
  /** Whether the smallest comes first at the first press. */
  readonly least: boolean
  readonly className: string
  readonly cell?: (row: Row) => string | number | null
}

const number = (name: string, title: string, definition: string, more: Partial<Columns> = {}): Columns => ({
  ...{ name, title, definition, isNumber: true, least: false, className: 'less' },
  ...more,
})
const text = (name: string, title: string, definition: string, more: Partial<Columns> = {}): Columns => ({
  ...{ name, title, definition, isNumber: false, least: true, className: '' },
  ...more,
})

/** An effect with its interval. */
function effect({ effect, effect_low: low, effect_high: high }: Row): string | null {
  if (typeof effect !== 'number') return null
  return typeof low === 'number' && typeof high === 'number'
    ? `${short(effect)} (${short(low)} to ${short(high)})`
    : short(effect)
}

/** In the order in which they stand. */
export const columnsOf: readonly Columns[] = [
  number('latent', 'Latent', 'Number of the latent in the SAE', { least: true, className: 'first' }),
  text('label', 'Label', 'What the best rule says; nothing where none holds well enough', { className: 'label' }),
  number('label_f1', 'F1', 'F1 of the label on text that did not choose it'),
  text('verdict', 'Verdict', 'What the causal test said'),
  number('effect', 'Effect, nats', 'Mean change of the target by the primary intervention, with its interval', {
    ...{ cell: effect, least: true, className: 'effect' },
  }),
  number('q', 'q', 'Benjamini–Hochberg over the latents tested, of the largest p of the kinds of control', {
    least: true,
  }),
  number('density', 'Density', 'Share of tokens at which the latent fires'),
  number('max_activation', 'Largest', 'Largest activation on the tokens that were read'),
  number('stability', 'Stability', '|cosine| with the latent’s partner in another SAE'),
]
