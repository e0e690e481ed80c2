/**
 * Every custom op against its plain version in tfjs, in turns in one process for each instruction set that is asked for
 * (`PIPELINE_ISA`, which binds TensorFlow's products too). Best of the rounds, by the clock and by processor time.
 */
import { z } from 'zod'
import { UserError } from '../core/errors.ts'
import { forcedInstructionSet, type InstructionSet, instructionSets, instructionSetsOf } from '../engine/isa.ts'
import { opCases } from './ops-cases.ts'
import { defineBench, flags, type Teller } from './options.ts'
import { machine, startWorker } from './workers.ts'

const Config = z.strictObject({
  rounds: flags.rounds,
  isa: z
    .array(z.enum(instructionSets))
    .nonempty()
    .optional()
    .describe('Instruction sets, each in a process of its own; by default the best that the processor has'),
  cases: z.array(z.string()).nonempty().default(Object.keys(opCases)).describe('Cases that are timed'),
})
type Config = z.output<typeof Config>

export default defineBench({
  about:
    'Every custom op against its plain version in tfjs, at sizes of GPT-2 small and of an SAE on it, by instruction set.',
  examples: ['npm run bench -- ops', 'npm run bench -- ops --isa avx2,avx512 --cases norm,linear-gelu --json'],
  config: Config,
  engine: 'tensorflow',
  run: measure,
})

async function measure({ rounds, isa, cases }: Config, tell: Teller): Promise<void> {
  const found = instructionSetsOf()
  for (const name of cases)
    if (!Object.hasOwn(opCases, name))
      throw new UserError(`There is no case ${name}.`, { fix: `The cases are ${Object.keys(opCases).join(', ')}.` })
  const sets: readonly (InstructionSet | null)[] = isa?.map(set => forcedInstructionSet(found, set)) ?? [
    forcedInstructionSet(),
  ]
  tell.line(machine())
  tell.line(`Best of ${rounds}, own and plain in turns; "to plain" is how many times as fast as the plain version`)
  tell.line('instructions  case                  own ms  plain ms  to plain  a core-second')
  for (const set of sets) {
    const worker = await startWorker(new URL('./ops-worker.ts', import.meta.url), {
      BENCH_OPS: cases.join(','),
      PIPELINE_ISA: set ?? '',
    })
    try {
      for (let round = 0; round < rounds; round++) await worker.time()
      const facts = await worker.facts()
      for (const name of cases) {
        const [own, plain] = (['own', 'plain'] as const).map(way => ({
          seconds: Number(facts[`${name}:${way}:seconds`]) / 3,
          core: Number(facts[`${name}:${way}:core`]) / 3,
        })) as [Times, Times]
        const figures = {
          ownSeconds: own.seconds,
          plainSeconds: plain.seconds,
          toPlain: plain.seconds / own.seconds,
          coreSecondsToPlain: plain.core / own.core,
        }
        tell.result({ benchmark: 'ops', isa: facts.instructions, case: name, rounds, ...figures })
        tell.line(line(String(facts.instructions), name, figures))
      }
    } finally {
      worker.stop()
    }
  }
}

interface Times {
  readonly seconds: number
  readonly core: number
}

function line(set: string, name: string, figures: Readonly<Record<string, number>>): string {
  return [
    set.padEnd(12),
    name.padEnd(20),
    (1000 * figures.ownSeconds!).toFixed(2).padStart(8),
    (1000 * figures.plainSeconds!).toFixed(2).padStart(8),
    figures.toPlain!.toFixed(2).padStart(8),
    figures.coreSecondsToPlain!.toFixed(2).padStart(13),
  ].join('  ')
}
