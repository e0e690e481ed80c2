/** What is known where a schedule is written for another system. */
import type { PipelineConfig } from '../../stages/file.ts'
import type { ScheduleConfig } from '../../stages/schedule.ts'
import type { Entry } from '../book.ts'

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
