/** Opening a dataset: documents are read, tokenised once, cut into windows and given to splits. */
import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { UserError } from '../core/errors.ts'
import { canonicalJson, hashValue } from '../core/hash.ts'
import type { Progress } from '../core/progress.ts'
import type { DatasetConfig } from './config.ts'
import type { Document, TokenDataset } from './document.ts'
import { readDocuments } from './sources/index.ts'
import { checkOutOfDistribution, cutWindows } from './splits.ts'
import { tokenise } from './tokenise.ts'
import type { Tokenizer } from './tokenizer/index.ts'

export { DatasetConfig } from './config.ts'

export interface DatasetOptions {
  /** Longest window of the model, in tokens. */
  readonly context: number
  /** The model's BOS token; where it names none, the tokenizer's is taken. */
  readonly bosToken: number | null
  readonly progress?: Progress | undefined
  /** Aborted on Ctrl-C: opening stops and throws `InterruptedError`. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Reads and tokenises a dataset into memory. Throws a `UserError` when the source is missing, malformed or empty, when
 * ids repeat, when its tokens are another tokenizer's, and when nothing is left to train on.
 */
export async function openDataset(
  config: DatasetConfig,
  tokenizer: Tokenizer,
  options: DatasetOptions,
): Promise<TokenDataset> {
  const context = config.context ?? options.context
  if (context > options.context)
    throw new UserError(`dataset.context is ${context}, but the model reads at most ${options.context} tokens.`, {
      fix: `Set dataset.context to ${options.context} or less.`,
    })
  const bosToken = options.bosToken ?? tokenizer.bosToken
  if (config.bos === true && bosToken === null)
    throw new UserError('dataset.bos is true, but neither model nor tokenizer has a BOS token.', {
      fix: 'Set dataset.bos to false or leave it out.',
    })
  const bos = config.bos === false ? null : bosToken
  const documents = await readDocuments(config)
  checkOutOfDistribution(documents, config)
  const { progress, signal } = options
  const tokenised = await tokenise(documents, tokenizer, { path: config.path, progress, signal })
  const windows = cutWindows(documents, tokenised, { context, bos }, config).map((piece, index) => ({
    ...piece,
    index,
  }))
  if (!windows.some(({ split }) => split === 'train'))
    throw new UserError(
      windows.length === 0
        ? `The dataset ${config.path} has fewer tokens than one window of ${context}.`
        : `Every window of the dataset ${config.path} is held out, so that none is left to train on.`,
      { fix: windows.length === 0 ? 'Set a smaller dataset.context.' : 'Lower dataset.heldOut.fraction.' },
    )
  const { path, context: _, bos: __, ...settings } = config
  return {
    name: basename(path),
    documents,
    windows,
    hash: hashValue({ source: hashDocuments(documents), tokenizer: tokenizer.hash, context, bos, settings }),
    tokenizerHash: tokenizer.hash,
    config: { ...config, context },
    concepts: conceptsOf(documents),
  }
}

function hashDocuments(documents: readonly Document[]): string {
  const hash = createHash('sha256')
  for (const { tokens, ...rest } of documents)
    hash.update(`${canonicalJson({ ...rest, ...(tokens && { tokens: Array.from(tokens) }) })}\n`)
  return hash.digest('hex')
}

function conceptsOf(documents: readonly Document[]): string[] {
  const names = new Set<string>()
  for (const { concepts, tokenConcepts, strata } of documents) {
    for (const name of concepts ?? []) names.add(name)
    for (const own of tokenConcepts ?? []) for (const name of own) names.add(name)
    for (const [field, value] of Object.entries(strata)) names.add(`${field}=${value}`)
  }
  return [...names].sort()
}
