/** Documents become token ids, many at a time. */
import { InterruptedError, UserError } from '../core/errors.ts'
import { type Progress, silent } from '../core/progress.ts'
import { breathe } from '../core/stage.ts'
import type { Document } from './document.ts'
import { TextRefused, type Tokenizer } from './tokenizer/index.ts'
import type { TokenisedDocument } from './windows.ts'

/** Texts given to the tokenizer at once: at most so many, and no further one once they have so many characters. */
const batchTexts = 512
const batchCharacters = 1 << 18

export interface TokeniseOptions {
  /** What the dataset is called in messages. */
  readonly path: string
  readonly progress?: Progress | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * The tokens of every document: its own where it has them, else the tokenizer's. Throws a `UserError` where its own are
 * not this tokenizer's, and an `InterruptedError` once the signal is aborted.
 */
export async function tokenise(
  documents: readonly Document[],
  tokenizer: Tokenizer,
  { path, progress = silent, signal }: TokeniseOptions,
): Promise<TokenisedDocument[]> {
  progress.start('Tokenising', documents.length, 'documents')
  await checkOwnTokens(documents, tokenizer, path, signal)
  const tokenised: TokenisedDocument[] = []
  for (let from = 0; from < documents.length; ) {
    let to = from
    for (let characters = 0; to < documents.length && to - from < batchTexts && characters < batchCharacters; to++)
      if (!documents[to]!.tokens) characters += documents[to]!.text?.length ?? 0
    const batch = documents.slice(from, to)
    const texts = batch.filter(({ tokens }) => !tokens)
    const encoded = await tokenizer
      .encodeAll(
        texts.map(({ text }) => text ?? ''),
        signal,
      )
      .catch(error => {
        throw error instanceof TextRefused ? refused(texts[error.text]!, error, path) : error
      })
    let next = 0
    batch.forEach(({ id, tokens }, i) => {
      const own = tokens ?? encoded[next++]!
      if (own.length === 0) throw new UserError(`Document ${id} of ${path} has no tokens.`)
      tokenised.push({ id, index: from + i, tokens: own })
    })
    progress.update(to)
    from = to
    await breathe()
    if (signal?.aborted)
      throw new InterruptedError('Reading the text was interrupted.', { fix: 'Start it again to go on.' })
  }
  progress.finish()
  return tokenised
}

function refused({ id, text = '' }: Document, error: TextRefused, path: string): UserError {
  return new UserError(`Document ${id} of ${path} (${text.length} characters) was not tokenised. ${error.message}`, {
    fix: 'Cut the document into smaller ones, or leave it out.',
    cause: error,
  })
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
