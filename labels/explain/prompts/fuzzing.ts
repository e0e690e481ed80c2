/** The prompt of fuzzing: are the marked tokens those at which the unit fires, by its explanation? */
import type { FuzzedExample } from '../samples.ts'
import { answersOf } from './detection.ts'
import type { Prompt } from './explanation.ts'
import { marked, marksFor } from './marks.ts'
import { readReply, replyKey, replyRules } from './reply.ts'

export function fuzzingPrompt(explanation: string, examples: readonly FuzzedExample[]): Prompt<boolean[]> {
  const [open, close] = marksFor(examples.map(({ tokens }) => tokens.join('')))
  const user = [
    JSON.stringify({ explanation }),
    ...examples.map(({ tokens, marks }, i) =>
      JSON.stringify({ number: i + 1, text: marked(tokens, at => marks.has(at), [open, close]) }),
    ),
  ].join('\n')
  const key = replyKey('fuzzing', user)
  return {
    system: `A unit of a language model fires at some tokens of each text, by the explanation. In each of the ${examples.length} texts some tokens are marked with ${open} and ${close}: sometimes those at which the unit fires, sometimes others. Say for each text whether the marks are right. ${replyRules(key, `[true or false for each text, ${examples.length} in all]`)}`,
    user,
    read: text => readReply(text, key, answersOf(examples.length)),
  }
}
