/** What other systems need to do a schedule, one file a system. Each starts commands of this program and nothing else. */
import { cron } from './cron.ts'
import { k8s } from './k8s.ts'
import type { ExportRequest } from './request.ts'
import { slurm } from './slurm.ts'
import { systemd } from './systemd.ts'

const exporters = { systemd, cron, k8s, slurm }

export const exportKinds = ['systemd', 'cron', 'k8s', 'slurm'] as const

/** The text for a system. */
export function exportAs(kind: keyof typeof exporters, request: ExportRequest): string {
  return exporters[kind](request)
}
