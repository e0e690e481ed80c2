/** Answers of people on examples of detection: JSON lines with latent, window, position (as in answers.parquet) and answer. */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import type { AnswerRow } from '../answers.ts'
import { linesOf, parseLine } from '../lines.ts'
import { exampleKey } from './scores.ts'

const HumanAnswer = z.strictObject({
  latent: z.int().min(0),
  window: z.string(),
  position: z.int().min(0),
  /** Whether they say that the latent fires in the window. */
  answer: z.boolean(),
})
export type HumanAnswer = z.output<typeof HumanAnswer>

/** Reads the file; a `UserError` for unknown keys, and for an example that is answered twice. */
export async function readHuman(path: string): Promise<HumanAnswer[]> {
  const seen = new Map<string, number>()
  return (await linesOf(path)).map(({ value, line }) => {
    const answer = parseLine(HumanAnswer, value, path, line)
    const key = exampleKey(answer)
    if (seen.has(key)) throw new UserError(`${path}, line ${line}, answers the example of line ${seen.get(key)} again.`)
    seen.set(key, line)
    return answer
  })
}

/** The answers as rows beside the scorer's; a `UserError` for one of an example that was not drawn. */
export function humanRows(answers: readonly HumanAnswer[], rows: readonly AnswerRow[]): AnswerRow[] {
  const drawn = new Map(rows.map(row => [exampleKey(row), row]))
  return answers.map(answer => {
    const row = drawn.get(exampleKey(answer))
    if (!row)
      throw new UserError(
        `A human answer is about latent ${answer.latent}, position ${answer.position} of the window ${JSON.stringify(answer.window)}, which is no example of detection here.`,
        { fix: 'Answer examples of answers.parquet of a run with the same seed, text and settings.' },
      )
    return { ...row, judge: 'human', answer: answer.answer }
  })
}
