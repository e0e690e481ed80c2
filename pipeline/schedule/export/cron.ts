/** A line of crontab. The schedule's own lock keeps two of them from running at once. */
import { shellWord } from '../../../core/shell.ts'
import type { ExportRequest } from './request.ts'

export function cron({ entry, file, runs, command }: ExportRequest): string {
  const { cron, timezone } = file.schedule
  const line = `cd ${shellWord(entry.folder)} && ${command} schedule run-now ${shellWord(entry.name)} --runs-dir ${shellWord(runs)} --json`
  return [
    `# pipeline schedule ${entry.name}: what is unchanged is skipped, and two never run at once.`,
    '# CRON_TZ is known to cronie and FreeBSD; where it is not, times are those of the machine.',
    `CRON_TZ=${timezone}`,
    // In a crontab a percent sign begins a new line.
    `${cron} ${line.replaceAll('%', '\\%')}`,
    '',
  ].join('\n')
}
