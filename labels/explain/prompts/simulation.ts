/** The prompt of simulation: how strongly does the unit fire at each token, from 0 to 10, by its explanation? (Bills et al. 2023) */
import { z } from 'zod'
import type { ShownExample } from '../../answers.ts'
import type { Prompt } from './explanation.ts'
import { readReply, replyKey, replyRules } from './reply.ts'

export function simulationPrompt(explanation: string, { tokens }: ShownExample): Prompt<number[]> {
  const user = `${JSON.stringify({ explanation })}\n${JSON.stringify({ tokens })}`
  const key = replyKey('simulation', user)
  return {
    system: `A unit of a language model fires at some tokens of some texts, by the explanation. Say for each of the ${tokens.length} tokens of the text how strongly it fires there, from 0 (not at all) to 10. ${replyRules(key, `[a number for each token, ${tokens.length} in all]`)}`,
    user,
    read: text => readReply(text, key, z.array(z.number().min(0).max(10)).length(tokens.length)),
  }
}
