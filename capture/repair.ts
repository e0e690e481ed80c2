/**
 * Making files of a finished capture again that were lost or damaged. A shard is a function of its windows alone, so that one
 * can be had without the others; it is put in place only where it has the bytes that the manifest says.
 */
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UserError } from '../core/errors.ts'
import { writeAtomic } from '../core/files.ts'
import { sha256File } from '../core/hash.ts'
import { Passes } from '../core/passes.ts'
import type { StageContext } from '../core/stage.ts'
import { readCaptureManifest } from '../datasets/shards/index.ts'
import { type CaptureInputs, type CapturePlan, planCapture, stopWhereAborted } from './capture.ts'
import { captureShard } from './forward.ts'
import { writeShard } from './shards.ts'
import { writeWindows } from './windows.ts'

/**
 * Makes the files (shards, the table of windows) of the capture in `context.directory` again; its `capture.json` must be
 * whole. Throws a `UserError` for a file that is none of these, and for one that comes out with other bytes, which is then
 * left as it was.
 */
export async function repairCapture(
  context: StageContext,
  inputs: CaptureInputs,
  files: readonly string[],
): Promise<void> {
  const { directory, signal, progress } = context
  if (files.includes('capture.json'))
    throw new UserError(`capture.json of ${directory} cannot be made again alone: it says what its other files are.`, {
      fix: 'Start the capture again under another name.',
    })
  const manifest = await readCaptureManifest(directory)
  const work = await planCapture(context, inputs)
  progress.start('Repairing', files.length, 'files')
  for (const [done, file] of files.entries()) {
    const number = manifest.shards.findIndex(shard => shard.file === file)
    const record =
      number >= 0 ? manifest.shards[number] : manifest.windows?.file === file ? manifest.windows : undefined
    if (!record) throw new UserError(`${file} of ${directory} cannot be made again alone.`, { fix: 'Capture again.' })
    const folder = await mkdtemp(join(tmpdir(), 'repair-'))
    try {
      if (number < 0) await writeWindows(folder, work.dataset, new Passes(undefined, () => stopWhereAborted(signal)))
      else await makeShard(folder, work, number, signal)
      const made = join(folder, file)
      if ((await sha256File(made)) !== record.sha256)
        throw new UserError(`${file} of ${directory} was made again, but with other bytes than its capture has.`, {
          fix: 'Repair it on the engine, version and kind of machine that captured it, or capture again.',
        })
      await writeAtomic(join(directory, file), createReadStream(made))
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
    progress.update(done + 1)
  }
  progress.finish()
}

/** Writes one shard, with its note, into a folder. */
async function makeShard(folder: string, work: CapturePlan, number: number, signal: AbortSignal): Promise<void> {
  const { model, sites, config, key, sampling, plans } = work
  const plan = plans[number]
  if (!plan)
    throw new UserError('The capture has more shards than its text and settings give.', { fix: 'Capture again.' })
  const { batchTokens } = config
  const computed = await captureShard(model, sites, plan, { batchTokens, onTokens: () => stopWhereAborted(signal) })
  await writeShard(folder, plan, sites, computed, { config, key, probabilities: sampling.probabilities })
}
