/** Opening a dataset: documents are read, tokenised once, cut into windows and given to splits. */
import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { UserError } from '../core/errors.ts'
import { canonicalJson, hashValue } from '../core/hash.ts'
import { type Progress, silent } from '../core/progress.ts'
import type { DatasetConfig } from './config.ts'
import type { Document, TokenDataset } from './document.ts'
import { readDocuments } from './sources/index.ts'
import { checkOutOfDistribution, cutWindows } from './splits.ts'
import type { Tokenizer } from './tokenizer.ts'
import type { TokenisedDocument } from './windows.ts'

export { DatasetConfig } from './config.ts'

export interface DatasetOptions {
  /** Longest window of the model, in tokens. */
  readonly context: number
  /** The model's BOS token; where it names none, the tokenizer's is taken. */
  readonly bosToken: number | null
  readonly progress?: Progress
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
  const tokenised = tokenise(documents, tokenizer, config.path, options.progress ?? silent)
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

function tokenise(
  documents: readonly Document[],
  tokenizer: Tokenizer,
  path: string,
  progress: Progress,
): TokenisedDocument[] {
  progress.start('Tokenising', documents.length, 'documents')
  let compared = false
  const tokenised = documents.map((document, index) => {
    const tokens = document.tokens ?? tokenizer.encode(document.text ?? '')
    if (document.tokens && document.text !== undefined && !compared) {
      compared = true
      if (!sameTokens(document.tokens, tokenizer.encode(document.text)))
        throw new UserError(
          `The tokens of ${path} are not this tokenizer's: its text of ${document.id} gives others.`,
          {
            fix: 'Use the model whose tokenizer made them, or leave the tokens out.',
          },
        )
    }
    const beyond = document.tokens?.find(token => token >= tokenizer.vocabulary)
    if (beyond !== undefined)
      throw new UserError(
        `Document ${document.id} of ${path} has token ${beyond}, but the tokenizer has ${tokenizer.vocabulary} tokens.`,
      )
    if (tokens.length === 0) throw new UserError(`Document ${document.id} of ${path} has no tokens.`)
    if (index % 256 === 0) progress.update(index)
    return { id: document.id, index, tokens }
  })
  progress.finish()
  return tokenised
}

function sameTokens(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((token, i) => token === b[i])
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
