/** One share of a stage's work: what Slurm, Kubernetes, or a person with many machines starts with a number. */
import { UserError } from '../../core/errors.ts'
import { openUnits } from './divide.ts'
import type { Session } from './session.ts'
import type { Stage, StageConfig } from './stage.ts'

/** What a share came to. */
export interface ShareResult {
  readonly stage: string
  readonly shard: number
  readonly of: number
  /** Units in all, in this share, and those of them that were done now. */
  readonly units: number
  readonly own: number
  readonly made: number
  /** The run that is finished already, so that nothing was to be done. */
  readonly run?: string
  readonly exitCode: 0
}

/** Whether a config asks for a share; a `UserError` where it asks for half of one. */
export function asksForShare({ shard, of, workers = 1 }: Pick<StageConfig, 'shard' | 'of' | 'workers'>): boolean {
  if (shard === undefined && of === undefined) return false
  if (workers > 1)
    throw new UserError(`workers is ${workers}, but a share (--shard) is done by one process.`, {
      fix: 'Leave --workers out, or --shard and --of.',
    })
  if (shard === undefined || of === undefined || shard >= of)
    throw new UserError(
      `shard is ${shard ?? 'not given'} and of is ${of ?? 'not given'}, but a share is --shard i --of n with i below n.`,
    )
  return true
}

/** Does the units `shard`, `shard + of`, `shard + 2 of` … that are not done yet, and leaves their parts. */
export async function performShare(stage: Stage, config: StageConfig, session: Session): Promise<ShareResult> {
  const { shard = 0, of = 1 } = config
  const facts = { stage: stage.stage, shard, of, exitCode: 0 } as const
  const opened = await openUnits(stage, config, session)
  if ('finished' in opened) return { ...facts, units: 0, own: 0, made: 0, run: opened.finished.manifest.id }
  const own = [...opened.names.keys()].filter(unit => unit % of === shard)
  let made = 0
  try {
    for (const unit of own) if (await opened.work(unit)) made++
  } finally {
    await opened.close()
  }
  return { ...facts, units: opened.names.length, own: own.length, made }
}
