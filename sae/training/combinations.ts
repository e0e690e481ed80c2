/** Settings that would do nothing beside the others a user gave: each is refused in a sentence, none silently ignored. */
import { UserError } from '../../core/errors.ts'
import type { TrainingSettings } from './settings.ts'

interface Rule {
  /** Keys that the rule is about; it looks only at those the user gave. */
  readonly keys: readonly (keyof TrainingSettings)[]
  /** Whether a given key has a meaning beside the settings that hold. */
  fits(training: TrainingSettings, own: Readonly<Record<string, unknown>>): boolean
  /** Why it has none. */
  because(training: TrainingSettings, architecture: string): string
  readonly fix: string
}

const rules: readonly Rule[] = [
  {
    keys: ['epochs'],
    fits: ({ tokens }) => tokens === undefined,
    because: () => 'says how many rows are learned from, and so does tokens',
    fix: 'Leave one of the two out.',
  },
  {
    keys: ['weightDecay'],
    fits: ({ optimiser }) => optimiser === 'adamw',
    because: ({ optimiser }) => `is of the optimiser adamw, and the optimiser is ${optimiser}`,
    fix: 'Set optimiser to adamw, or leave weightDecay out.',
  },
  {
    keys: ['beta2', 'epsilon'],
    fits: ({ optimiser }) => optimiser !== 'signum',
    because: () => 'belongs to a second moment, and the optimiser signum has none',
    fix: 'Leave it out, or set optimiser to adam or adamw.',
  },
  {
    keys: ['decay'],
    fits: ({ schedule }) => schedule === 'linear',
    because: ({ schedule }) => `says when the schedule linear begins to fall, and the schedule is ${schedule}`,
    fix: 'Leave it out, or set schedule to linear.',
  },
  {
    keys: ['finalRate'],
    fits: ({ schedule }) => schedule !== 'constant',
    because: () => 'says where the learning rate ends, and the schedule is constant',
    fix: 'Leave it out, or set schedule to linear or cosine.',
  },
  {
    keys: ['rateRule'],
    fits: ({ learningRate }) => learningRate === undefined,
    because: () => 'chooses a learning rate, and learningRate is given',
    fix: 'Leave one of the two out.',
  },
  {
    keys: ['sparsityWarmUp'],
    fits: (_, own) => own.activation !== 'batchtopk' && ('l1Coefficient' in own || 'l0Coefficient' in own),
    because: (_, architecture) => `raises a sparsity loss, and ${architecture} has none`,
    fix: 'Leave it out; kAnneal lowers k over the first steps.',
  },
  {
    keys: ['kAnneal'],
    fits: (_, own) => 'k' in own && (own.activation === undefined || own.activation === 'batchtopk'),
    because: (_, architecture) => `lowers k, and ${architecture} has none`,
    fix: 'Leave it out; sparsityWarmUp raises the sparsity loss over the first steps.',
  },
  {
    keys: ['decoderNorm', 'projectGradient'],
    fits: ({ freeze }) => freeze !== 'decoder',
    because: () => 'says how decoder rows change, and freeze keeps them as they are',
    fix: 'Leave it out, or freeze the encoder.',
  },
  {
    keys: ['kFrom'],
    fits: ({ kAnneal }) => kAnneal !== undefined && kAnneal > 0,
    because: () => 'says where kAnneal begins, and kAnneal is not given',
    fix: 'Set kAnneal to the number of steps, or leave kFrom out.',
  },
]

/** Throws a `UserError` for the first of the user's keys that means nothing beside the others. */
export function refuseIdle(
  given: readonly string[],
  training: TrainingSettings,
  own: Readonly<Record<string, unknown>>,
  architecture: string,
): void {
  for (const { keys, fits, because, fix } of rules)
    for (const key of keys)
      if (given.includes(key) && training[key] !== 0 && !fits(training, own))
        throw new UserError(`train key ${key} ${because(training, architecture)}.`, { fix })
  const { kFrom } = training
  if (given.includes('kFrom') && kFrom! < Number(own.k))
    throw new UserError(`train key kFrom is ${kFrom}, but k falls from it to ${own.k}.`, {
      fix: `Set kFrom to ${own.k} or more.`,
    })
}
