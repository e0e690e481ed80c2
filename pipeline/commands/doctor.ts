/** `pipeline doctor`: what would be used on this machine, and how to get what is missing. */
import { z } from 'zod'
import { columns } from '../../core/text.ts'
import { resolveSettings } from '../../engine/settings.ts'
import { type CommandSession, defineCommand, type Outcome } from '../command.ts'
import { EngineName, openStore, StoreConfig } from '../stages/common.ts'

/** Exit code when the engine that was asked for does not run. */
const noEngineCode = 1

export default defineCommand({
  about:
    'Shows which engine would be used and why, threads, memory, disk, processor instructions and GPU. With --install it first gets TensorFlow into the cache of this user; where that is there already, it takes no time.',
  examples: [
    'pipeline doctor',
    'pipeline doctor --install',
    'pipeline doctor --install --engine tensorflow-gpu',
    'pipeline doctor --store s3://bucket/runs',
  ],
  config: z.strictObject({
    install: z.boolean().default(false).describe('Install what the engine needs, where it is missing'),
    engine: EngineName.default('auto').describe('Engine to look at, or to install'),
    store: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Look at this place for parts instead: a folder or s3://bucket/prefix, by writing and removing an object',
      ),
    ...StoreConfig,
  }),
  async run(config, session) {
    if (config.store !== undefined) return lookAtStore(config.store)
    const { engine } = resolveSettings({ engine: config.engine })
    const { opsProblem, problem } = config.install ? await install(engine, session) : {}
    const { examine } = await import('../../engine/doctor/examine.ts')
    const { formatReport } = await import('../../engine/doctor/report.ts')
    const report = await examine({ engine, runs: openStore(config).directory })
    return {
      text: formatReport(report, Math.min(80, Math.max(40, session.columns))),
      json: {
        ...report,
        ...(opsProblem ? { opsProblem } : {}),
        ...(problem ? { installProblem: problem.message } : {}),
      },
      exitCode: report.engine ? (problem?.exitCode ?? 0) : noEngineCode,
    }
  },
})

/** Installs what the choice needs, and says what came of it. */
async function install(engine: z.output<typeof EngineName>, { progress }: CommandSession) {
  const { installEngine } = await import('../../engine/install/choice.ts')
  const installation = await installEngine({ engine, progress })
  progress.note(installation.text)
  return installation
}

/** What a place for parts does when two writers meet. */
async function lookAtStore(place: string): Promise<Outcome> {
  const { openObjectStore } = await import('../../objects/open.ts')
  const { probeStore } = await import('../../objects/probe.ts')
  const probe = await probeStore(await openObjectStore(place))
  const rows = [
    ['writes', 'an object was made, read and removed'],
    [
      'two writers',
      probe.exclusive
        ? 'the first one is kept'
        : 'the last one is kept: parts are named by their bytes, so that they are equal',
    ],
    ['lists', probe.listed ? 'show an object at once' : 'do not show an object at once: work may be done twice'],
    ['ranges', probe.ranges ? 'are read as asked' : 'are not read as asked: large parts cannot be taken from here'],
  ]
  const fit = probe.listed && probe.ranges
  return {
    text: [probe.place, ...columns(rows).map(line => `  ${line}`)].join('\n'),
    json: probe,
    exitCode: fit ? 0 : 1,
  }
}
