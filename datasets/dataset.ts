/** Opening a dataset: documents are read, tokenised once, cut into windows and given to splits, in bounded memory. */
import { basename } from 'node:path'
import { InterruptedError, UserError } from '../core/errors.ts'
import { hashValue } from '../core/hash.ts'
import { type Progress, silent } from '../core/progress.ts'
import { hasAny, type Sequence } from '../core/sequence.ts'
import { type DatasetConfig, longestWindow } from './config.ts'
import type { TokenDataset } from './document.ts'
import { readDocuments } from './sources/index.ts'
import { SkipLog } from './sources/skipped.ts'
import { checkOutOfDistribution, cutWindows } from './splits.ts'
import { DocumentStore } from './store.ts'
import { tokenise } from './tokenise.ts'
import type { Tokenizer } from './tokenizer/index.ts'

export { DatasetConfig } from './config.ts'

export interface DatasetOptions {
  /** Longest window of the model, in tokens. */
  readonly context: number
  /** The model's BOS token; where it names none, the tokenizer's is taken. */
  readonly bosToken: number | null
  /** The model's EOS token; beside the tokenizer's, it counts as a special token. */
  readonly eosToken?: number | null | undefined
  readonly progress?: Progress | undefined
  /** Bytes of tokens and of facts held before the rest goes to temporary files; tests set it low. */
  readonly heldBytes?: number | undefined
  /** Aborted on Ctrl-C: opening stops and throws `InterruptedError`. */
  readonly signal?: AbortSignal | undefined
}

/** Datasets of at most so many tokens are held in memory, as windows; of larger ones nothing is that grows with their text. */
const heldTokens = 1 << 22

/**
 * Reads and tokenises a dataset, one document after the other. Documents that cannot be used are left out and counted. Throws a `UserError`
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
  const reading = readDocuments(config, { progress, signal })
  const unused = new SkipLog()
  const store = new DocumentStore(options.heldBytes)
  const { path } = config
  for await (const { document, tokens } of tokenise(reading.documents, tokenizer, {
    ...{ bos, path, progress, signal },
    skipped: unused,
  }))
    store.add(document, tokens)
  const skipped = reading.skipped.with(unused)
  skipped.check(reading.seen, config.maxSkipped)
  const note = skipped.note()
  if (note) progress.note(`${path}: ${note}`)
  checkOutOfDistribution(store.strata, config)
  const held = <T>(values: Sequence<T>) =>
    store.tokenCount <= (options.heldBytes ?? heldTokens) ? [...values] : values
  const documents = held(store.documents())
  const tokenised = {
    count: store.count,
    idOf: (place: number) => documents.at(place)!.id,
    lengthOf: (place: number) => store.lengthOf(place),
    tokensOf: (place: number, from: number, to: number) => store.tokensOf(place, from, to),
  }
  const stop = () => stopReading(signal)
  const windows = held(await cutWindows(documents, tokenised, { context, bos }, config, stop))
  if (!(await hasAny(windows, ({ split }) => split === 'train', stop)))
    throw new UserError(
      windows.length === 0
        ? `The dataset ${path} has fewer tokens than one window of ${context}.`
        : `Every window of the dataset ${path} is held out, so that none is left to train on.`,
      { fix: windows.length === 0 ? 'Set a smaller dataset.context.' : 'Lower dataset.heldOut.fraction.' },
    )
  // How fast text is tokenised, and where it lies, is no part of what it is.
  const { tokenizerThreads: _, ...kept } = config
  const { path: __, context: ___, bos: ____, maxSkipped: _____, ...settings } = kept
  return {
    name: basename(path),
    documents,
    windows,
    hash: hashValue({ source: store.hash(), tokenizer: tokenizer.hash, context, bos, settings }),
    tokenizerHash: tokenizer.hash,
    config: { ...kept, context },
    concepts: store.concepts(),
    skipped: skipped.counts,
    unchecked: reading.unchecked,
    specialTokens: specialTokensOf(tokenizer, options),
  }
}

/** Throws an `InterruptedError` once the signal is aborted. */
function stopReading(signal: AbortSignal | undefined): void {
  if (signal?.aborted)
    throw new InterruptedError('Reading the text was interrupted.', { fix: 'Start it again to go on.' })
}

/** Ids of the tokens that stand for no text: BOS, EOS and padding, of model and tokenizer. */
function specialTokensOf(tokenizer: Tokenizer, { bosToken, eosToken }: DatasetOptions): number[] {
  const named = [bosToken, eosToken, tokenizer.bosToken, tokenizer.eosToken, tokenizer.padToken]
  return [...new Set(named.filter(token => typeof token === 'number'))].sort((a, b) => a - b)
}
