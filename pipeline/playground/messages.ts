/** What the server and the playground's process say to each other. */
import type { TaskName } from '../../dashboard/server/compute.ts'

export type ToProcess =
  | { readonly id: number; readonly task: TaskName; readonly asked: unknown }
  | { readonly cancel: number }

export interface Problem {
  /** `bug` is no one's fault but the program's. */
  readonly kind: 'user' | 'not-there' | 'bug'
  readonly message: string
  readonly fix?: string
}

export type FromProcess =
  | { readonly id: number; readonly given: unknown }
  | { readonly id: number; readonly problem: Problem }
