/** Documents become token ids, many at a time. */
import { InterruptedError, UserError } from '../core/errors.ts'
import type { Progress } from '../core/progress.ts'
import { breathe } from '../core/stage.ts'
import type { Document } from './document.ts'
import { DocumentProblem, type SkipLog } from './sources/skipped.ts'
import { TextRefused, type Tokenizer } from './tokenizer/index.ts'

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

/** A document with its tokens. */
export interface TokenisedDocument {
  readonly document: Document
  readonly tokens: Int32Array
}

/**
 * Every document that has tokens, in order: its own, or the tokenizer's. Of the text only a few batches are held, one for
 * each that the tokenizer works on at once and one being read. Throws a `UserError` where a document's own tokens are not
 * this tokenizer's, and an `InterruptedError` once the signal is aborted.
 */
export async function* tokenise(
  documents: AsyncIterable<Document>,
  tokenizer: Tokenizer,
  options: TokeniseOptions,
): AsyncGenerator<TokenisedDocument> {
  const { bos, skipped, progress, signal } = options
  progress.start('Tokenising', undefined, 'documents')
  let done = 0
  const batches = batchesOf(documents, tokenizer, options)
  const found = inOrder(batches, tokenizer.atOnce ?? 1, batch => tokensOf(batch, tokenizer, signal))
  for await (const { tokenised, refused } of found) {
    for (const problem of refused) skipped.add(problem)
    for (const { document, tokens } of tokenised) {
      if (tokens.length === 0 || (tokens.length === 1 && tokens[0] === bos)) skipped.add(withoutTokens(document.id))
      else yield { document, tokens }
    }
    done += tokenised.length + refused.length
    progress.update(done)
    await breathe()
    if (signal?.aborted)
      throw new InterruptedError('Reading the text was interrupted.', { fix: 'Start it again to go on.' })
  }
  progress.finish()
}

/** Documents in batches for the tokenizer, their own tokens checked. */
async function* batchesOf(
  documents: AsyncIterable<Document>,
  tokenizer: Tokenizer,
  { path, signal }: TokeniseOptions,
): AsyncGenerator<Document[]> {
  let batch: Document[] = []
  let characters = 0
  let isCompared = false
  for await (const document of documents) {
    const { tokens, text } = document
    if (tokens) {
      if (text !== undefined && !isCompared) await compareTokens(document, tokenizer, path, signal)
      isCompared ||= text !== undefined
      refuseBeyond(document, tokenizer, path)
    } else characters += text?.length ?? 0
    batch.push(document)
    if (batch.length < batchTexts && characters < batchCharacters) continue
    yield batch
    batch = []
    characters = 0
  }
  if (batch.length > 0) yield batch
}

/** What `work` makes of each value, in the values' order; at most `most` are worked on at once. */
async function* inOrder<T, U>(
  values: AsyncIterable<T>,
  most: number,
  work: (value: T) => Promise<U>,
): AsyncGenerator<U> {
  const begun: Promise<U>[] = []
  try {
    for await (const value of values) {
      const result = work(value)
      // Whoever waits for it learns of its fault; until then it is nobody's.
      result.catch(() => {})
      begun.push(result)
      if (begun.length >= most) yield await begun.shift()!
    }
    while (begun.length > 0) yield await begun.shift()!
  } finally {
    await Promise.allSettled(begun)
  }
}

interface Found {
  readonly tokenised: readonly TokenisedDocument[]
  /** Documents that the library refuses. */
  readonly refused: readonly DocumentProblem[]
}

/** Documents with their tokens. */
async function tokensOf(
  documents: readonly Document[],
  tokenizer: Tokenizer,
  signal: AbortSignal | undefined,
): Promise<Found> {
  const texts = documents.filter(({ tokens }) => !tokens)
  try {
    const encoded = await tokenizer.encodeAll(
      texts.map(({ text }) => text ?? ''),
      signal,
    )
    let next = 0
    return {
      tokenised: documents.map(document => ({ document, tokens: document.tokens ?? encoded[next++]! })),
      refused: [],
    }
  } catch (error) {
    if (!(error instanceof TextRefused)) throw error
    const refused = texts[error.text]!
    const rest = await tokensOf(
      documents.filter(document => document !== refused),
      tokenizer,
      signal,
    )
    const problem = new DocumentProblem(
      'a text that the tokenizer refuses',
      { name: refused.id },
      `Document ${refused.id} (${refused.text?.length} characters) was not tokenised. ${error.message}`,
      { fix: 'Cut it into smaller ones' },
    )
    return { tokenised: rest.tokenised, refused: [problem, ...rest.refused] }
  }
}

function withoutTokens(id: string): DocumentProblem {
  return new DocumentProblem(
    'no tokens',
    { name: id },
    `Document ${id} has no tokens: the tokenizer drops all of its text.`,
  )
}

/** Refuses tokens of another tokenizer, as a document that has both shows. */
async function compareTokens(
  { id, text, tokens }: Document,
  tokenizer: Tokenizer,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!sameTokens(tokens!, await tokenizer.encode(text!, signal)))
    throw new UserError(`The tokens of ${path} are not this tokenizer's: its text of ${id} gives others.`, {
      fix: 'Use the model whose tokenizer made them, or leave the tokens out.',
    })
}

/** Refuses tokens beyond the vocabulary. */
function refuseBeyond({ id, tokens }: Document, tokenizer: Tokenizer, path: string): void {
  const beyond = tokens?.find(token => token >= tokenizer.vocabulary)
  if (beyond !== undefined)
    throw new UserError(
      `Document ${id} of ${path} has token ${beyond}, but the tokenizer has ${tokenizer.vocabulary} tokens.`,
      { fix: "Give tokens of this model's tokenizer, or text." },
    )
}

function sameTokens(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((token, i) => token === b[i])
}
