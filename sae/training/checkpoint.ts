/**
 * Checkpoints of a training run: weights, moments, counters and running numbers in a safetensors file, and a JSON file
 * beside it with its hash. The JSON is written last, so a checkpoint is whole when it is there and the hash holds.
 */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { codeOf, messageOf } from '../../core/errors.ts'
import { readJson, writeJson } from '../../core/files.ts'
import { sha256File } from '../../core/hash.ts'
import type { Progress } from '../../core/progress.ts'
import { openSafetensors, writeSafetensors } from '../../engine/safetensors.ts'
import { readWhenAsked, type StepSnapshot } from '../step/snapshot.ts'

const Header = z.strictObject({
  schema: z.literal(1),
  /** Hash of settings and data; a checkpoint of another training is not taken up. */
  key: z.string(),
  step: z.int().min(0),
  metricsLines: z.int().min(0),
  state: z.record(z.string(), z.number()),
  sha256: z.string(),
})

/** Of a checkpoint that was read, the tensors' data are read from the file each time they are asked for. */
export interface Checkpoint {
  readonly snapshot: StepSnapshot
  readonly metricsLines: number
}

const name = (step: number) => `step-${String(step).padStart(9, '0')}`

/** Writes a checkpoint into `folder` and removes all but the newest `keep`. */
export async function writeCheckpoint(
  folder: string,
  key: string,
  checkpoint: Checkpoint,
  keep: number,
): Promise<void> {
  const { snapshot, metricsLines } = checkpoint
  const path = join(folder, `${name(snapshot.step)}.safetensors`)
  const latents = [snapshot.silent.length]
  await writeSafetensors(path, {
    ...snapshot.tensors,
    silent: { shape: latents, data: snapshot.silent },
    fired: { shape: latents, data: snapshot.fired },
  })
  await writeJson(path.replace(/safetensors$/, 'json'), {
    schema: 1,
    key,
    step: snapshot.step,
    metricsLines,
    state: snapshot.state,
    sha256: await sha256File(path),
  })
  for (const step of (await stepsIn(folder)).slice(keep)) await remove(folder, step)
}

/**
 * The newest checkpoint that is whole and belongs to `key`. Damaged ones are passed over and removed, and a notice says of
 * each what is wrong with it, and from where the training goes on.
 */
export async function newestCheckpoint(
  folder: string,
  key: string,
  progress: Progress,
): Promise<Checkpoint | undefined> {
  let damaged = false
  for (const step of await stepsIn(folder)) {
    try {
      const checkpoint = await readCheckpoint(join(folder, name(step)), key)
      if (checkpoint && damaged) progress.note(`Training goes on from the checkpoint of step ${step}.`)
      if (checkpoint) return checkpoint
    } catch (error) {
      damaged = true
      progress.note(`The checkpoint of step ${step} is damaged and is passed over: ${whatOf(error)}`)
    }
    await remove(folder, step)
  }
  if (damaged) progress.note('No checkpoint is whole: training starts anew.')
  return undefined
}

/** What is wrong, in one line. */
function whatOf(error: unknown): string {
  return error instanceof z.ZodError ? 'its JSON is not that of a checkpoint.' : messageOf(error).split('\n')[0]!
}

async function readCheckpoint(base: string, key: string): Promise<Checkpoint | undefined> {
  const header = Header.parse(await readJson(`${base}.json`, 'checkpoint'))
  if (header.key !== key) return undefined
  const path = `${base}.safetensors`
  const found = await sha256File(path)
  if (found !== header.sha256) throw new Error(`its sha256 is ${found}, not ${header.sha256}`)
  const file = await openSafetensors(path)
  try {
    const tensors: StepSnapshot['tensors'] = {}
    for (const part of file.names)
      if (part.includes('.')) {
        const stored = file.later(part)
        tensors[part] = readWhenAsked(stored.shape, () => stored.data)
      }
    const [silent, fired] = [await file.readInts('silent'), await file.readInts('fired')]
    return {
      metricsLines: header.metricsLines,
      snapshot: { step: header.step, state: header.state, silent, fired, tensors },
    }
  } finally {
    await file.close()
  }
}

/** Steps with a checkpoint, newest first. */
async function stepsIn(folder: string): Promise<number[]> {
  let entries: string[]
  try {
    entries = await readdir(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
  const steps = entries.flatMap(entry => /^step-(\d+)\.(json|safetensors)$/.exec(entry)?.[1] ?? [])
  return [...new Set(steps.map(Number))].sort((a, b) => b - a)
}

async function remove(folder: string, step: number): Promise<void> {
  // The JSON goes first: without it the rest is not a checkpoint.
  await rm(join(folder, `${name(step)}.json`), { force: true })
  await rm(join(folder, `${name(step)}.safetensors`), { force: true })
}
