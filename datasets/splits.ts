/** Which split each document and window belongs to, decided so that no document is in two splits. */
import { UserError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import { uniformOf } from '../core/random.ts'
import type { DatasetConfig } from './config.ts'
import type { Document, Split } from './document.ts'
import { type Packing, type Piece, packConcatenated, packDocument, type TokenisedDocument } from './windows.ts'

/** Splits in the order in which joined windows stand. */
const order: readonly Split[] = ['train', 'discovery', 'validation', 'outOfDistribution']

type Cut = Piece & { readonly split: Split }

/**
 * Windows with their splits, in the dataset's order. Documents are given to splits before they are cut, and joined
 * windows are cut from each split's documents alone. `tail` with joined windows cuts first (the last share of windows
 * is held out, its first half for discovery), so there a document may reach across one of the two borders; no token does.
 */
export function cutWindows(
  documents: readonly Document[],
  tokenised: readonly TokenisedDocument[],
  packing: Packing,
  config: DatasetConfig,
): Cut[] {
  const splits = documents.map(document => splitOf(document, config))
  if (config.packing === 'document') {
    const pieces = tokenised.map(document => packDocument(document, packing))
    if (config.heldOut.by === 'tail') holdOutTail(splits, pieces, documents, config)
    return pieces.flatMap((own, i) => own.map(piece => ({ ...piece, split: splits[i]! })))
  }
  const windows: Cut[] = []
  for (const split of order) {
    const own = packConcatenated(
      tokenised.filter((_, i) => splits[i] === split),
      packing,
      windows.length,
    )
    const held =
      split === 'train' && config.heldOut.by === 'tail' ? Math.round(own.length * config.heldOut.fraction) : 0
    const tail = own.length - held
    const half = tail + Math.ceil(held / 2)
    own.forEach((piece, i) => {
      windows.push({ ...piece, split: i < tail ? split : i < half ? 'discovery' : 'validation' })
    })
  }
  return windows
}

/** A document's split by its strata and, where documents are held out by hash, by its id. */
function splitOf({ id, strata }: Document, { heldOut, outOfDistribution, seed }: DatasetConfig): Split {
  if (outOfDistribution?.values.includes(strata[outOfDistribution.field] ?? '')) return 'outOfDistribution'
  if (heldOut.by === 'tail' || uniformOf(seed, 'held out', id) >= heldOut.fraction) return 'train'
  return halfOf(id, seed)
}

function halfOf(id: string, seed: number): Split {
  return uniformOf(seed, 'half', id) < 0.5 ? 'discovery' : 'validation'
}

/** Holds out the last documents that together have at most the given share of the windows. */
function holdOutTail(
  splits: Split[],
  pieces: readonly Piece[][],
  documents: readonly Document[],
  config: DatasetConfig,
) {
  const total = pieces.reduce((sum, own, i) => sum + (splits[i] === 'train' ? own.length : 0), 0)
  let left = Math.round(total * config.heldOut.fraction)
  for (let i = splits.length - 1; i >= 0; i--) {
    if (splits[i] !== 'train') continue
    left -= pieces[i]!.length
    if (left < 0) return
    splits[i] = halfOf(documents[i]!.id, config.seed)
  }
}

/** Refuses an out-of-distribution rule that no document meets. */
export function checkOutOfDistribution(documents: readonly Document[], config: DatasetConfig): void {
  const rule = config.outOfDistribution
  if (!rule) return
  const fields = [...new Set(documents.flatMap(({ strata }) => Object.keys(strata)))]
  if (!fields.includes(rule.field)) {
    const [best] = nearest(rule.field, fields, 1)
    throw new UserError(`dataset.outOfDistribution.field is ${rule.field}, but no document has that stratum.`, {
      fix: best ? `Did you mean ${best}?` : 'Name the field in dataset.strataFields too.',
    })
  }
  const values = new Set(documents.map(({ strata }) => strata[rule.field]))
  for (const value of rule.values) {
    if (values.has(value)) continue
    const [best] = nearest(
      value,
      [...values].filter(v => v !== undefined),
      1,
    )
    throw new UserError(
      `dataset.outOfDistribution.values names ${value}, but no document has ${rule.field} ${value}.`,
      {
        ...(best !== undefined && { fix: `Did you mean ${best}?` }),
      },
    )
  }
}
