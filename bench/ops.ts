/**
 * Every custom op against its plain version in tfjs, in turns in one process for each instruction set that is asked for
 * (`PIPELINE_ISA`, which binds TensorFlow's products too). No op may be slower than its plain version: one that is, beyond the noise
 * of the rounds, is named, and the benchmark ends as a failed gate.
 */
import { z } from 'zod'
import { UserError } from '../core/errors.ts'
import { forcedInstructionSet, type InstructionSet, instructionSets, instructionSetsOf } from '../engine/isa.ts'
import { fewestRounds, isSlower, median, medianAtMost } from './noise.ts'
import { opCases } from './ops-cases.ts'
import { defineBench, type Teller } from './options.ts'
import { machine, startWorker } from './workers.ts'

const Config = z.strictObject({
  rounds: z
    .int()
    .min(fewestRounds)
    .default(9)
    .describe('Timed repetitions of each case; below seven nothing could be told from noise'),
  isa: z
    .array(z.enum([...instructionSets, 'all']))
    .nonempty()
    .optional()
    .describe('Instruction sets, each in a process of its own, or all that the processor has; by default the best'),
  cases: z.array(z.string()).nonempty().default(Object.keys(opCases)).describe('Cases that are timed'),
  margin: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe('How much slower than plain, beyond noise, is slower: 0.05 for a twentieth'),
})
type Config = z.output<typeof Config>

export default defineBench({
  about:
    'Every custom op against its plain version in tfjs, at sizes of GPT-2 small and of an SAE on it, by instruction set. Ends with code 2 where an op is slower than its plain version.',
  examples: [
    'npm run bench -- ops --isa all',
    'npm run bench -- ops --isa avx2,avx512 --cases norm,linear-gelu --json',
  ],
  config: Config,
  engine: 'tensorflow',
  run: measure,
})

async function measure({ rounds, isa, cases, margin }: Config, tell: Teller): Promise<void> {
  for (const name of cases)
    if (!Object.hasOwn(opCases, name))
      throw new UserError(`There is no case ${name}.`, { fix: `The cases are ${Object.keys(opCases).join(', ')}.` })
  const sets = setsOf(isa)
  const slow: string[] = []
  tell.line(machine())
  tell.line(
    `Best of ${rounds}, own and plain in turns. "to plain" is how many times as fast as the plain version, by the`,
  )
  tell.line('clock and by processor time: the median of the rounds, and what it is at most, to 99 %.')
  tell.line('instructions  case                    own ms  plain ms  to plain (most)  a core-second')
  for (const set of sets) {
    const worker = await startWorker(new URL('./ops-worker.ts', import.meta.url), {
      BENCH_OPS: cases.join(','),
      PIPELINE_ISA: set ?? '',
    })
    try {
      for (let round = 0; round < rounds; round++) await worker.time()
      const facts = await worker.facts()
      for (const name of cases) {
        const figures = figuresOf(facts as Record<string, number[]>, name, margin)
        const instructions = String(facts.instructions)
        if (figures.slower) slow.push(`${name} (${instructions})`)
        tell.result({ benchmark: 'ops', isa: instructions, case: name, rounds, ...figures })
        tell.line(line(instructions, name, figures))
      }
    } finally {
      worker.stop()
    }
  }
  const how = `slower than plain by more than ${100 * margin} %, beyond noise`
  if (slow.length === 0) tell.line(`No op is ${how}.`)
  else tell.fail(`These ops are ${how}: ${slow.join(', ')}.`)
}

function setsOf(isa: Config['isa']): readonly (InstructionSet | null)[] {
  const found = instructionSetsOf()
  if (!isa) return [forcedInstructionSet()]
  if (isa.includes('all')) return found
  return isa.map(set => forcedInstructionSet(found, set))
}

interface Figures {
  readonly ownSeconds: number
  readonly plainSeconds: number
  readonly toPlain: number
  readonly toPlainAtMost: number
  readonly coreSecondsToPlain: number
  readonly coreSecondsToPlainAtMost: number
  readonly slower: boolean
}

function figuresOf(times: Readonly<Record<string, number[]>>, name: string, margin: number): Figures {
  const ratios = (by: string) => times[`${name}:own:${by}`]!.map((own, i) => times[`${name}:plain:${by}`]![i]! / own)
  const [clock, core] = [ratios('seconds'), ratios('core')]
  return {
    ownSeconds: Math.min(...times[`${name}:own:seconds`]!),
    plainSeconds: Math.min(...times[`${name}:plain:seconds`]!),
    toPlain: median(clock),
    toPlainAtMost: medianAtMost(clock),
    coreSecondsToPlain: median(core),
    coreSecondsToPlainAtMost: medianAtMost(core),
    slower: isSlower([clock, core], margin),
  }
}

function line(set: string, name: string, figures: Figures): string {
  const { ownSeconds, plainSeconds, toPlain, toPlainAtMost, coreSecondsToPlain, coreSecondsToPlainAtMost } = figures
  const ratio = (middle: number, most: number) => `${middle.toFixed(2)} (${most.toFixed(2)})`
  return [
    set.padEnd(12),
    name.padEnd(21),
    (1000 * ownSeconds).toFixed(2).padStart(7),
    (1000 * plainSeconds).toFixed(2).padStart(8),
    ratio(toPlain, toPlainAtMost).padStart(15),
    ratio(coreSecondsToPlain, coreSecondsToPlainAtMost).padStart(13),
    figures.slower ? 'slower' : '',
  ]
    .join('  ')
    .trimEnd()
}
