/** `pipeline runs publish` and `fetch`: finished runs, carried between machines that share no disk. */
import { z } from 'zod'
import { NotThereError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'
import { shellWord } from '../../core/shell.ts'
import { openObjectStore } from '../../objects/open.ts'
import { ancestry } from '../../runs/lineage.ts'
import { fetchRun, publishedRuns, publishRun } from '../../runs/publish.ts'
import type { FinishedRun } from '../../runs/run.ts'
import { defineCommand } from '../command.ts'
import { openStore, StoreConfig } from '../stages/common.ts'

const place = (what: string) => z.string().min(1).describe(`${what}: a folder or s3://bucket/prefix`)

export const publish = defineCommand({
  about:
    'Leaves a finished run, and the runs that it was made from, in a store of objects: files by their sha256, manifests last and once. What is there already is not sent again.',
  examples: ['pipeline runs publish run42 --to s3://bucket/runs'],
  operands: ['run'],
  config: z.strictObject({
    run: z.string().describe('A run: its id, or its directory'),
    to: place('Where to leave it'),
    ...StoreConfig,
  }),
  async run(config) {
    const store = openStore(config)
    const objects = await openObjectStore(config.to)
    const found = await store.find(config.run)
    const published: string[] = []
    const there: string[] = []
    // What a run was made from comes first, so that a run in the store has all of it there.
    const visit = async (run: FinishedRun, inputs: Awaited<ReturnType<typeof ancestry>>['inputs']): Promise<void> => {
      for (const { from } of inputs) if (from) await visit(from.run, from.inputs)
      const { id } = run.manifest
      if (published.includes(id) || there.includes(id)) return
      const state = await publishRun(objects, run)
      ;(state === 'published' ? published : there).push(id)
    }
    const { run, inputs } = await ancestry(store, found)
    await visit(run, inputs)
    const text = [
      ...published.map(id => `published: ${id}`),
      ...there.map(id => `there already: ${id}`),
      `Next: pipeline runs fetch ${run.manifest.id} --from ${shellWord(config.to)}`,
    ]
    return { text: text.join('\n'), json: { place: objects.place, published, there } }
  },
})

export const fetch = defineCommand({
  about:
    'Puts a run of a store of objects, and the runs that it was made from, among the runs here. Every file is held to the manifest; a run is put in place as a whole or not at all.',
  examples: ['pipeline runs fetch run42 --from s3://bucket/runs'],
  operands: ['run'],
  config: z.strictObject({
    run: z.string().describe('Id of a run in the store'),
    from: place('Where it is'),
    ...StoreConfig,
  }),
  async run(config) {
    const store = openStore(config)
    const objects = await openObjectStore(config.from)
    const fetched: string[] = []
    const there: string[] = []
    const visit = async (id: string): Promise<void> => {
      if (fetched.includes(id) || there.includes(id)) return
      const { state, run } = await fetchRun(objects, id, store.directory)
      ;(state === 'fetched' ? fetched : there).push(id)
      for (const input of run.manifest.inputs) if (input.run !== undefined) await visit(input.run)
    }
    await visit(config.run).catch(async error => {
      if (!(error instanceof NotThereError)) throw error
      const names = nearest(config.run, await publishedRuns(objects))
      throw new NotThereError(error.message, {
        fix: names.length > 0 ? `Did you mean ${names.join(', ')}?` : 'No run was published there yet.',
        cause: error,
      })
    })
    const text = [...fetched.map(id => `fetched: ${id}`), ...there.map(id => `here already: ${id}`)]
    return { text: text.join('\n'), json: { place: objects.place, fetched, there } }
  },
})
