/** A line of crontab. The schedule's own lock keeps two of them from running at once. */
import { shellWord } from '../../../core/shell.ts'
import { expressionOf, fieldsOf } from './fields.ts'
import type { ExportRequest } from './request.ts'

export function cron({ entry, file, runs, command }: ExportRequest): string {
  const { timezone, onFailure } = file.schedule
  const cron = expressionOf(fieldsOf(file.schedule.cron, 'cron'))
  const line = `cd ${shellWord(entry.folder)} && ${command} schedule run-now ${shellWord(entry.name)} --runs-dir ${shellWord(runs)} --json`
  return [
    `# pipeline schedule ${entry.name}: what is unchanged is skipped, and two never run at once.`,
    '# CRON_TZ is known to cronie and FreeBSD, and holds for all lines below it; elsewhere times are those of the machine.',
    `CRON_TZ=${timezone}`,
    ...(onFailure.webhook === undefined
      ? []
      : [
          `# Of onFailure: set it in a line of its own here, in the user's crontab alone: ${onFailure.webhook}=https://…`,
        ]),
    // In a crontab a percent sign begins a new line.
    `${cron} ${line.replaceAll('%', '\\%')}`,
    '',
  ].join('\n')
}
