/** What other systems need to do a schedule, one file a system. Each starts commands of this program and nothing else. */
import type { PipelineConfig } from '../../stages/file.ts'
import type { ScheduleConfig } from '../../stages/schedule.ts'
import type { Entry } from '../book.ts'
import { cron } from './cron.ts'
import { k8s } from './k8s.ts'
import { slurm } from './slurm.ts'
import { systemd } from './systemd.ts'

export interface ExportRequest {
  readonly entry: Entry
  readonly file: PipelineConfig & { readonly schedule: ScheduleConfig }
  /** Folder of the runs, absolute. */
  readonly runs: string
  /** How this program is called there. */
  readonly command: string
  readonly image?: string | undefined
  readonly claim?: string | undefined
  readonly shares: number
}

const exporters = { systemd, cron, k8s, slurm }

export const exportKinds = ['systemd', 'cron', 'k8s', 'slurm'] as const

/** The text for a system. */
export function exportAs(kind: keyof typeof exporters, request: ExportRequest): string {
  return exporters[kind](request)
}
