/** Whether a tokenizer can belong to a model. */
import { UserError } from '../core/errors.ts'
import type { Model } from './model.ts'

/**
 * Refuses a tokenizer with token ids that the model has no embedding for. A smaller one is in order: vocabularies are
 * often padded.
 */
export function checkTokenizer(
  model: Pick<Model, 'config' | 'path'>,
  tokenizer: { readonly vocabulary: number },
): void {
  if (tokenizer.vocabulary > model.config.vocabulary)
    throw new UserError(
      `The tokenizer has ${tokenizer.vocabulary} tokens, but the model ${model.path} has only ${model.config.vocabulary}.`,
      { fix: 'Use the tokenizer.json that belongs to the model.' },
    )
}
