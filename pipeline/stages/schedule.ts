/** The section `schedule` of a pipeline file: when it is done, what of it is kept, and who is told when it went wrong. */
import { Cron } from 'croner'
import { z } from 'zod'
import { messageOf } from '../../core/errors.ts'

const isZone = (zone: string) => {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }) !== undefined
  } catch {
    return false
  }
}

const CronText = z.string().superRefine((text, context) => {
  if (text.trim().split(/\s+/).length !== 5) {
    context.addIssue({ code: 'custom', message: 'has five fields: minute, hour, day of month, month, day of week' })
    return
  }
  try {
    if (!new Cron(text, { paused: true, mode: '5-part' }).nextRun())
      context.addIssue({ code: 'custom', message: 'never comes' })
  } catch (error) {
    context.addIssue({ code: 'custom', message: messageOf(error).replace(/^CronPattern: |\.$/g, '') })
  }
})

export const ScheduleConfig = z.strictObject({
  cron: CronText.describe("When: minute, hour, day of month, month, day of week, such as '0 3 * * *'"),
  timezone: z
    .string()
    .refine(isZone, 'is no time zone')
    .default('UTC')
    .describe('Time zone of these, such as Europe/Berlin'),
  misfire: z
    .enum(['once', 'skip'])
    .default('once')
    .describe('What is done where times passed while no scheduler ran: once for all of them, or nothing'),
  keep: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('Times whose runs are kept, with all that they were made from; null keeps all'),
  onFailure: z
    .strictObject({
      command: z
        .array(z.string().min(1))
        .min(1)
        .optional()
        .describe('Program and arguments; the line of the journal is its standard input'),
      webhook: z
        .string()
        .regex(/^[A-Z][A-Z0-9_]*$/, 'is the name of a variable of the environment, since addresses hold secrets')
        .optional()
        .describe('Variable of the environment that holds an address; the line of the journal is posted there'),
    })
    .default({})
    .describe('Who is told when a run failed, a gate failed, evidence is inconclusive, or there is drift'),
})
export type ScheduleConfig = z.output<typeof ScheduleConfig>

/** The first time after `after`, or undefined where none comes. */
export function nextDue({ cron, timezone }: Pick<ScheduleConfig, 'cron' | 'timezone'>, after: Date): Date | undefined {
  return new Cron(cron, { paused: true, mode: '5-part', timezone }).nextRun(after) ?? undefined
}

/** Times that are counted of those that passed before the last one; more are told as so many. */
const mostMissed = 100

/** The last time after `after` and not after `now`, and how many there were before it; undefined where there was none. */
export function lastDue(
  { cron, timezone }: Pick<ScheduleConfig, 'cron' | 'timezone'>,
  after: Date,
  now: Date,
): { readonly due: Date; readonly missed: number } | undefined {
  // The library gives times before a moment, of whole seconds: one that is due just now is before the next second.
  const passed = new Cron(cron, { paused: true, mode: '5-part', timezone })
    .previousRuns(mostMissed + 2, new Date(now.getTime() + 1000))
    .filter(time => time > after && time <= now)
    .sort((a, b) => b.getTime() - a.getTime())
  const [due] = passed
  return due && { due, missed: Math.min(mostMissed, passed.length - 1) }
}
