/**
 * The word by which a place of runs is known, whatever path it has on a machine: whoever asks and whoever works must mean one place, or
 * what is done for the one is never found by the other.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { UserError } from '../../core/errors.ts'
import { openObjectStore } from '../../objects/open.ts'
import { openStore, sharedPlace } from '../stages/common.ts'
import type { StageConfig } from '../stages/stage.ts'

/** Folder of the word beside runs that machines share. */
const queueFolder = '.queue'
const object = 'place'

type Places = Pick<StageConfig, 'runs-dir' | 'store'>

const nameOf = (own: Places) => sharedPlace(own) ?? openStore(own).directory

/** The word of the place where these settings keep runs: that of the shared store, else of the folder. Whoever comes first makes it. */
export async function wordOfPlace(own: Places): Promise<string> {
  const store = await openObjectStore(sharedPlace(own) ?? join(nameOf(own), queueFolder))
  if (!(await store.head(object))) await store.putIfAbsent(object, Buffer.from(randomUUID()))
  return Buffer.from(await store.read(object)).toString('utf8')
}

/** Throws a `UserError` unless these settings keep runs in the place that has this word. */
export async function mustBePlace(word: string, own: Places, machine: string): Promise<void> {
  if ((await wordOfPlace(own)) === word) return
  throw new UserError(
    `The worker on ${machine} keeps runs in ${nameOf(own)}, which is not the place where whoever asks looks for them.`,
    {
      fix: 'Give workers the --runs-dir, or the --store, of whoever asks; projects that have places of their own need queues of their own: another database, or --machines.',
    },
  )
}
