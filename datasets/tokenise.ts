/** Documents become token ids, many at a time. */
import { InterruptedError, UserError } from '../core/errors.ts'
import type { Progress } from '../core/progress.ts'
import { breathe } from '../core/stage.ts'
import type { Document } from './document.ts'
import { DocumentProblem, type SkipLog } from './sources/skipped.ts'
import { TextRefused, type Tokenizer } from './tokenizer/index.ts'
import type { TokenisedDocument } from './windows.ts'

/** Texts given to the tokenizer at once: at most so many, and no further one once they have so many characters. */
const batchTexts = 512
const batchCharacters = 1 << 18

export interface TokeniseOptions {
  /** The BOS token of windows, which alone makes no document. */
  readonly bos: number | null
  /** What the dataset is called in messages. */
  readonly path: string
  /** Takes the documents that the tokenizer has no tokens for. */
  readonly skipped: SkipLog
  readonly progress: Progress
  readonly signal?: AbortSignal | undefined
}

export interface Tokenised {
  /** The documents that have tokens. */
  readonly documents: Document[]
  /** Their tokens, in the same order. */
  readonly tokenised: TokenisedDocument[]
}

/**
 * The tokens of every document: its own where it has them, else the tokenizer's. Throws a `UserError` where its own are
 * not this tokenizer's, and an `InterruptedError` once the signal is aborted.
 */
export async function tokenise(
  all: readonly Document[],
  tokenizer: Tokenizer,
  { bos, path, skipped, progress, signal }: TokeniseOptions,
): Promise<Tokenised> {
  progress.start('Tokenising', all.length, 'documents')
  await checkOwnTokens(all, tokenizer, path, signal)
  const documents: Document[] = []
  const tokenised: TokenisedDocument[] = []
  for (let from = 0; from < all.length; ) {
    let to = from
    for (let characters = 0; to < all.length && to - from < batchTexts && characters < batchCharacters; to++)
      if (!all[to]!.tokens) characters += all[to]!.text?.length ?? 0
    for (const { document, tokens } of await tokensOf(all.slice(from, to), tokenizer, skipped, signal)) {
      if (tokens.length === 0 || (tokens.length === 1 && tokens[0] === bos)) skipped.add(withoutTokens(document.id))
      else {
        tokenised.push({ id: document.id, index: documents.length, tokens })
        documents.push(document)
      }
    }
    progress.update(to)
    from = to
    await breathe()
    if (signal?.aborted)
      throw new InterruptedError('Reading the text was interrupted.', { fix: 'Start it again to go on.' })
  }
  progress.finish()
  return { documents, tokenised }
}

interface WithTokens {
  readonly document: Document
  readonly tokens: Int32Array
}

/** Documents with their tokens; those that the library refuses are left out. */
async function tokensOf(
  documents: readonly Document[],
  tokenizer: Tokenizer,
  skipped: SkipLog,
  signal: AbortSignal | undefined,
): Promise<WithTokens[]> {
  const texts = documents.filter(({ tokens }) => !tokens)
  try {
    const encoded = await tokenizer.encodeAll(
      texts.map(({ text }) => text ?? ''),
      signal,
    )
    let next = 0
    return documents.map(document => ({ document, tokens: document.tokens ?? encoded[next++]! }))
  } catch (error) {
    if (!(error instanceof TextRefused)) throw error
    const refused = texts[error.text]!
    skipped.add(
      new DocumentProblem(
        'a text that the tokenizer refuses',
        { name: refused.id },
        `Document ${refused.id} (${refused.text?.length} characters) was not tokenised. ${error.message}`,
        { fix: 'Cut it into smaller ones' },
      ),
    )
    const rest = documents.filter(document => document !== refused)
    return rest.length > 0 ? tokensOf(rest, tokenizer, skipped, signal) : []
  }
}

function withoutTokens(id: string): DocumentProblem {
  return new DocumentProblem(
    'no tokens',
    { name: id },
    `Document ${id} has no tokens: the tokenizer drops all of its text.`,
  )
}

/** Refuses tokens beyond the vocabulary, and those of another tokenizer, as the first document with both shows. */
async function checkOwnTokens(
  documents: readonly Document[],
  tokenizer: Tokenizer,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const both = documents.find(({ tokens, text }) => tokens && text !== undefined)
  if (both && !sameTokens(both.tokens!, await tokenizer.encode(both.text!, signal)))
    throw new UserError(`The tokens of ${path} are not this tokenizer's: its text of ${both.id} gives others.`, {
      fix: 'Use the model whose tokenizer made them, or leave the tokens out.',
    })
  for (const { id, tokens } of documents) {
    const beyond = tokens?.find(token => token >= tokenizer.vocabulary)
    if (beyond !== undefined)
      throw new UserError(
        `Document ${id} of ${path} has token ${beyond}, but the tokenizer has ${tokenizer.vocabulary} tokens.`,
      )
  }
}

function sameTokens(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((token, i) => token === b[i])
}
