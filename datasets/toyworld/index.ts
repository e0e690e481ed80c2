/** Toyworld: a small language with known features, and the model that knows it (docs/toyworld.md). */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { UserError } from '../../core/errors.ts'
import type { Document } from '../document.ts'
import { toyworldDocument } from './generate.ts'

export { longestDocument, type Retelling, toyworldDocument } from './generate.ts'
export { type Kind, kinds, type Relation, relations } from './grammar.ts'
export { type Language, languages, type Register, registers } from './lexicon.ts'
export { factPrompts, indirectObjectPrompts, inductionPrompts, type Prompt, pronounPrompts } from './prompts.ts'
export { bosToken, eosToken, tokenizerConfigJson, tokenizerJson, vocabulary } from './vocabulary.ts'
export { type Fact, facts } from './world.ts'

/**
 * Documents of toyworld, of at most `longestDocument` tokens: text, tokens (without BOS), the true concepts of each
 * token, and strata source, language, register, kind, template, factId. Equal seeds give equal documents.
 */
export function toyworldDocuments({ seed, documents }: { seed: number; documents: number }): Document[] {
  return Array.from({ length: documents }, (_, index) => toyworldDocument(seed, index).document)
}

/** Entropy of the language in nats a token (`<eos>` included): the mean loss of a model that knows its generator. */
export function toyworldEntropy({ seed, documents }: { seed: number; documents: number }): number {
  let nats = 0
  let tokens = 0
  for (let index = 0; index < documents; index++) {
    const made = toyworldDocument(seed, index)
    nats += made.nats
    tokens += made.document.tokens!.length + 1
  }
  return nats / tokens
}

/** The folder of the committed model (Hugging Face layout), in the sources as in a built package. */
export function toyworldModelDirectory(): string {
  const places = ['./model', '../../../datasets/toyworld/model'].map(place =>
    fileURLToPath(new URL(place, import.meta.url)),
  )
  const found = places.find(place => existsSync(`${place}/config.json`))
  if (!found)
    throw new UserError(`The toyworld model is missing: there is no config.json in ${places[0]}.`, {
      fix: 'Install the package again, or train it anew with npm run train:toyworld.',
    })
  return found
}
