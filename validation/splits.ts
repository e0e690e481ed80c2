/** The text of a validation: discovery, validation and out-of-distribution windows that share no document. */
import { UserError } from '../core/errors.ts'
import { paced } from '../core/pace.ts'
import { hasAny, joined, mapped, pick } from '../core/sequence.ts'
import type { Split, TokenDataset, TokenWindow } from '../datasets/document.ts'
import { drawWindows } from '../datasets/draw.ts'
import { type Separated, separateSplits } from '../datasets/separate.ts'
import { measuredDraw } from '../latents/activations.ts'
import type { ValidateConfig } from './config.ts'
import type { Splits } from './evidence.ts'
import type { ValidateInputs } from './inputs.ts'

/** Windows of the splits that a validation reads; no document is in two. */
export interface SplitWindows {
  readonly discovery: readonly TokenWindow[]
  readonly validation: readonly TokenWindow[]
  /** Empty where neither settings nor dataset name such text. */
  readonly outOfDistribution: readonly TokenWindow[]
}

export interface SplitText {
  /** The dataset with all text, without windows that hold a document of an earlier split. */
  readonly dataset: TokenDataset
  readonly windows: SplitWindows
  /** What evidence says of them. */
  readonly splits: Splits
}

/**
 * Tokens of the runs by which near-duplicates are told. A word that is changed changes as many runs as a run has words: of copies that
 * differ in every tenth word too few runs of five are left to tell them from texts of one kind.
 */
const shingle = 3
/** Near-duplicates that evidence names; all are counted. */
const mostNamed = 1000
const inOrder: readonly Split[] = ['discovery', 'validation', 'outOfDistribution']

/**
 * Splits the text as the settings say and draws what is read of it. `stop` is called from time to time, and throws where the
 * work is to end.
 */
export async function splitText(
  { dataset, outOfDistribution, config }: Pick<ValidateInputs, 'dataset' | 'outOfDistribution' | 'config'>,
  seed: number,
  stop?: () => void,
): Promise<SplitText> {
  const held = await holdOut(dataset, config.outOfDistribution.strata ?? {}, stop)
  const all = outOfDistribution ? await withOther(held, outOfDistribution, stop) : held
  const separated = await separateSplits(all, inOrder, { threshold: config.nearDuplicate, shingle, stop })
  const has = (asked: Split) =>
    hasAny(
      separated.dataset.windows,
      ({ split, tokens }) => split === asked && tokens.length >= measuredDraw.shortest,
      stop,
    )
  const draw = async (split: Split) => {
    const copies = separated.dropped.filter(one => one.split === split).length
    if (copies > 0 && !(await has(split))) throw onlyCopies(split, copies, config)
    return drawWindows(separated.dataset, { ...measuredDraw, split, seed, tokens: config.tokens }, stop)
  }
  const windows: SplitWindows = {
    discovery: await draw('discovery'),
    validation: await draw('validation'),
    outOfDistribution: (await has('outOfDistribution')) ? await draw('outOfDistribution') : [],
  }
  return { dataset: separated.dataset, windows, splits: splitsOf(windows, separated, config) }
}

function onlyCopies(split: Split, copies: number, { nearDuplicate }: ValidateConfig): UserError {
  return new UserError(
    `No ${split} text is left: ${copies} of its documents are nearly the same as documents of an earlier split (nearDuplicate ${nearDuplicate}).`,
    {
      fix: 'Use text of more than a few documents and their copies; a larger nearDuplicate counts copies that differ more as documents of their own.',
    },
  )
}

/** Gives held-out windows whose document has one of these values to the out-of-distribution split. */
async function holdOut(
  dataset: TokenDataset,
  strata: NonNullable<ValidateConfig['outOfDistribution']['strata']>,
  stop: (() => void) | undefined,
): Promise<TokenDataset> {
  const rules = Object.entries(strata)
  if (rules.length === 0) return dataset
  const isOut = (place: number) =>
    rules.some(([field, values]) => values.includes(dataset.documents.at(place)!.strata[field] ?? ''))
  /** Its split; a packed window of both kinds is of none. */
  const splitOf = ({ split, documents, offsets }: TokenWindow): Split | undefined => {
    if (split !== 'discovery' && split !== 'validation') return split
    const places = [...new Set(documents.filter((_, i) => offsets[i]! >= 0))]
    if (!places.some(isOut)) return split
    return places.every(isOut) ? 'outOfDistribution' : undefined
  }
  const kept = await pick(dataset.windows, window => splitOf(window) !== undefined, stop)
  return { ...dataset, windows: mapped(kept, window => ({ ...window, split: splitOf(window)! })) }
}

/** The dataset with all windows of another one behind it, out of distribution; the other's documents are named after it. */
async function withOther(
  dataset: TokenDataset,
  other: TokenDataset,
  stop: (() => void) | undefined,
): Promise<TokenDataset> {
  const first = dataset.documents.length
  let behind = 0
  for await (const { index } of paced(dataset.windows, stop)) behind = Math.max(behind, index + 1)
  const named = (id: string) => `${other.name}:${id}`
  const documents = mapped(other.documents, document => ({ ...document, id: named(document.id) }))
  const windows = mapped(
    other.windows,
    (window): TokenWindow => ({
      ...window,
      id: named(window.id),
      index: behind + window.index,
      documents: window.documents.map(place => first + place),
      split: 'outOfDistribution',
    }),
  )
  return {
    ...dataset,
    documents: joined(dataset.documents, documents),
    windows: joined(dataset.windows, windows),
  }
}

function splitsOf(windows: SplitWindows, { dropped, merged }: Separated, config: ValidateConfig): Splits {
  const ids = (of: readonly TokenWindow[]) => of.map(({ id }) => id)
  return {
    discovery: ids(windows.discovery),
    validation: ids(windows.validation),
    outOfDistribution: ids(windows.outOfDistribution),
    nearDuplicates: {
      threshold: config.nearDuplicate,
      shingle,
      dropped: dropped.length,
      droppedDocuments: dropped.slice(0, mostNamed).map(one => ({ ...one })),
      merged: merged.length,
      mergedDocuments: merged.slice(0, mostNamed).map(one => ({ ...one })),
    },
  }
}
