/** The prompt for an explanation: windows with the tokens marked at which the latent fires. */
import { z } from 'zod'
import { clip, visible } from '../../../core/visible.ts'
import type { ShownExample } from '../../answers.ts'
import { firesAt, marked, marksFor } from './marks.ts'
import { readReply, replyKey, replyRules } from './reply.ts'

/** Characters of an explanation that are kept. */
export const longestExplanation = 300

export interface Prompt<T> {
  readonly system: string
  readonly user: string
  /** What the reply says; undefined where it cannot be read. */
  read(text: string): T | undefined
}

export function explanationPrompt(examples: readonly ShownExample[]): Prompt<string> {
  const [open, close] = marksFor(examples.map(({ tokens }) => tokens.join('')))
  const user = examples
    .map(example => JSON.stringify({ text: marked(example.tokens, firesAt(example), [open, close]) }))
    .join('\n')
  const key = replyKey('explanation', user)
  return {
    system: `A unit of a language model fires at some tokens of a text. You see texts, with ${open} and ${close} around the tokens at which it fires. Say in at most 20 words what those tokens, or what comes before them, have in common. Do not list the texts. ${replyRules(key, '"your explanation"')}`,
    user,
    read: text => {
      const found = readReply(text, key, z.string().trim().min(1))
      return found === undefined ? undefined : clip(visible(found), longestExplanation)
    },
  }
}
