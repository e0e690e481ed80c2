/** `pipeline serve`: the runs of the store as pages and as an API, on this machine. */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { keepSmall } from '../../core/memory.ts'
import { defineCommand } from '../command.ts'
import { openStore, ProcessConfig, StoreConfig } from '../stages/common.ts'
import { packageVersion } from '../stages/version.ts'

/** Bytes of garbage that may gather before it is freed. */
const mostGarbage = 16 * 2 ** 20

/** Hosts that only this machine reaches. */
const ownHosts = ['127.0.0.1', 'localhost', '::1']

export default defineCommand({
  about:
    'Serves the runs of the store on this machine, as pages and as an API that other programs read (GET /api/openapi.json describes it). It writes nothing; what is computed for the playground runs in a process of its own, which is started when it is first asked. It ends with Ctrl-C.',
  examples: ['pipeline serve', 'pipeline serve --port 4040 --json'],
  config: z.strictObject({
    port: z.int().min(0).max(65_535).optional().describe('Port (default: 4040, or any free one where that is taken)'),
    host: z.string().default('127.0.0.1').describe('Address to listen at; beyond this machine it needs a token'),
    token: z
      .string()
      .min(16)
      .optional()
      .describe('What one must know to ask, at least 16 characters (default: a random one, printed at the start)'),
    compute: z
      .enum(['playground', 'none'])
      .default('playground')
      .describe('Whether it computes: features on a text, edits, neighbours, comparisons; none only reads'),
    ...ProcessConfig,
    ...StoreConfig,
  }),
  async run(config, { signal, progress }) {
    if (!ownHosts.includes(config.host) && config.token === undefined)
      throw new UserError(`--host ${config.host} can be reached from other machines, and there is no --token.`, {
        fix: 'Give a token of your own, or leave --host out.',
      })
    const { spareMemory } = await import('../../datasets/parquet-reader.ts')
    spareMemory()
    keepSmall(mostGarbage, signal)
    const { listen } = await import('../../dashboard/server/listen.ts')
    const { playgroundCompute } = await import('../playground/compute.ts')
    const store = openStore(config)
    const { engine, precision, threads } = config
    const compute =
      config.compute === 'none'
        ? undefined
        : playgroundCompute({ directory: store.directory, engine: { engine, precision, threads } })
    const serving = await listen({
      directory: store.directory,
      version: packageVersion(),
      host: config.host,
      port: config.port ?? 4040,
      exactly: config.port !== undefined,
      token: config.token,
      compute,
      signal,
      onBug: error => progress.note(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    })
    progress.note(`Serving ${store.directory} at ${serving.address}`)
    if (!ownHosts.includes(config.host))
      progress.note('It can be reached from other machines by all who know the token.')
    await serving.closed
    await compute?.close()
    return { text: 'Stopped.', json: { port: serving.port } }
  },
})
