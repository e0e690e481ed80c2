/** How long work reports: the work calls a `Progress`, the command line decides what is shown. */

/** What a piece of long work reports to. `total` is unknown when undefined. */
export interface Progress {
  /**
   * A new task: what is done, how much there is of it, and in which unit (`tokens`, `windows`, `bytes`); it began `ago` seconds
   * before, by default now.
   */
  start(task: string, total: number | undefined, unit: string, ago?: number): void
  /** So much of the task is done now (not since the last call); `note` is a short figure beside the bar. */
  update(done: number, note?: string): void
  /** The task is done; `summary` is its closing line. */
  finish(summary?: string): void
  /** A line for the person, apart from any task. */
  note(line: string): void
}

/** Reports to nobody: for tests and for callers that show nothing. */
export const silent: Progress = { start() {}, update() {}, finish() {}, note() {} }
