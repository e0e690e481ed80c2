/** The prompt of detection: in which of these texts does the unit fire, by its explanation? */
import { z } from 'zod'
import type { ShownExample } from '../../answers.ts'
import type { Prompt } from './explanation.ts'
import { readReply, replyKey, replyRules } from './reply.ts'

/** The answers as booleans, one an example, in their order. */
export const answersOf = (count: number) =>
  z.array(z.union([z.boolean(), z.literal([0, 1]).transform(Boolean)])).length(count)

export function detectionPrompt(explanation: string, examples: readonly ShownExample[]): Prompt<boolean[]> {
  const user = [
    JSON.stringify({ explanation }),
    ...examples.map(({ tokens }, i) => JSON.stringify({ number: i + 1, text: tokens.join('') })),
  ].join('\n')
  const key = replyKey('detection', user)
  return {
    system: `A unit of a language model fires at some tokens of some texts, by the explanation. Say for each of the ${examples.length} texts whether the unit fires anywhere in it. ${replyRules(key, `[true or false for each text, ${examples.length} in all]`)}`,
    user,
    read: text => readReply(text, key, answersOf(examples.length)),
  }
}
