/** Opening a dataset: documents are read, tokenised once, cut into windows and given to splits. */
import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { UserError } from '../core/errors.ts'
import { canonicalJson, hashValue } from '../core/hash.ts'
import { type Progress, silent } from '../core/progress.ts'
import { breathe } from '../core/stage.ts'
import { type DatasetConfig, longestWindow } from './config.ts'
import type { Document, TokenDataset } from './document.ts'
import { readDocuments } from './sources/index.ts'
import { checkOutOfDistribution, cutWindows } from './splits.ts'
import { tokenise } from './tokenise.ts'
import type { Tokenizer } from './tokenizer/index.ts'
import type { TokenisedDocument } from './windows.ts'

export { DatasetConfig } from './config.ts'

export interface DatasetOptions {
  /** Longest window of the model, in tokens. */
  readonly context: number
  /** The model's BOS token; where it names none, the tokenizer's is taken. */
  readonly bosToken: number | null
  /** The model's EOS token; beside the tokenizer's, it counts as a special token. */
  readonly eosToken?: number | null | undefined
  readonly progress?: Progress | undefined
  /** Aborted on Ctrl-C: opening stops and throws `InterruptedError`. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Reads and tokenises a dataset into memory. Documents that cannot be used are left out and counted. Throws a `UserError`
 * when the source is missing, unreadable or empty, when more than `maxSkipped` of its documents cannot be used, when its
 * tokens are another tokenizer's, and when nothing is left to train on.
 */
export async function openDataset(
  config: DatasetConfig,
  tokenizer: Tokenizer,
  options: DatasetOptions,
): Promise<TokenDataset> {
  const { progress = silent, signal } = options
  const context = config.context ?? Math.min(options.context, longestWindow)
  if (config.context === undefined && options.context > longestWindow)
    progress.note(
      `Windows have at most ${longestWindow.toLocaleString('en')} tokens, though the model reads ${options.context.toLocaleString('en')}.`,
    )
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
  const read = await readDocuments(config, { progress, signal })
  const { skipped, seen } = read
  const { documents, tokenised } = await tokenise(read.documents, tokenizer, {
    bos,
    path: config.path,
    skipped,
    progress,
    signal,
  })
  skipped.check(seen, config.maxSkipped)
  const note = skipped.note()
  if (note) progress.note(`${config.path}: ${note}`)
  checkOutOfDistribution(documents, config)
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
  const { path, context: _, bos: __, maxSkipped: ___, ...settings } = config
  const source = await hashDocuments(documents, tokenised)
  return {
    name: basename(path),
    documents,
    windows,
    hash: hashValue({ source, tokenizer: tokenizer.hash, context, bos, settings }),
    tokenizerHash: tokenizer.hash,
    config: { ...config, context },
    concepts: conceptsOf(documents),
    skipped: skipped.counts,
    specialTokens: specialTokensOf(tokenizer, options),
  }
}

/** Ids of the tokens that stand for no text: BOS, EOS and padding, of model and tokenizer. */
function specialTokensOf(tokenizer: Tokenizer, { bosToken, eosToken }: DatasetOptions): number[] {
  const named = [bosToken, eosToken, tokenizer.bosToken, tokenizer.eosToken, tokenizer.padToken]
  return [...new Set(named.filter(token => typeof token === 'number'))].sort((a, b) => a - b)
}

/** sha256 of the documents and of the tokens that they were given. */
async function hashDocuments(documents: readonly Document[], tokenised: readonly TokenisedDocument[]): Promise<string> {
  const hash = createHash('sha256')
  for (const [i, { tokens: _, ...rest }] of documents.entries()) {
    const { tokens } = tokenised[i]!
    hash.update(`${canonicalJson({ ...rest, tokens: tokens.length })}\n`)
    hash.update(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength))
    if (i % 1024 === 0) await breathe()
  }
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
