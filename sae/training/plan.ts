/** What follows from a config and a capture before the first step: sites, sizes, amounts in steps. */
import { UserError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'
import type { Architecture, Shape } from '../architecture.ts'
import type { StepSettings } from '../step/step.ts'
import type { ResolvedTraining, TrainConfig } from './config.ts'
import type { ActivationSource } from './rows.ts'

export interface TrainingPlan {
  readonly settings: StepSettings
  readonly shape: Shape
  readonly inputSites: string[]
  /** Empty unless another site is predicted. */
  readonly targetSites: string[]
  readonly rows: number
  readonly validationRows: number
  readonly batchTokens: number
  readonly steps: number
  readonly densitySteps: number
  /** Seed of the weights. */
  readonly seed: number
  /** Seed of the order of rows. */
  readonly orderSeed: number
  /** What was worked out from settings and data; recorded with the result. */
  readonly identity: Record<string, unknown>
}

/** Everything that follows from config and data before the first step. */
export function makePlan(
  resolved: ResolvedTraining,
  config: TrainConfig,
  capture: ActivationSource,
  runSeed: number,
): TrainingPlan {
  const { architecture, training } = resolved
  const { inputSites, targetSites } = chooseSites(architecture, config, capture)
  const widthOf = (names: string[]) =>
    names.reduce((sum, name) => sum + capture.sites.find(site => site.name === name)!.width, 0)
  const width = widthOf(inputSites)
  const shape: Shape = {
    width,
    outputs: targetSites.length > 0 ? widthOf(targetSites) : width,
    latents:
      (config.latents ?? 16 * (width / inputSites.length)) * (architecture.reads === 'layers' ? inputSites.length : 1),
    sites: inputSites.length,
  }
  const rows = capture.rows - training.validationRows
  if (rows < 1)
    throw new UserError(`The capture has ${capture.rows} rows, and validationRows is ${training.validationRows}.`, {
      fix: 'Lower validationRows, or capture more.',
    })
  const tokens = training.tokens ?? Math.round(training.epochs * rows)
  const batchTokens = Math.min(training.batchTokens, tokens)
  const steps = Math.max(1, Math.floor(tokens / batchTokens))
  const settings = stepSettings(resolved, { shape, tokens, batchTokens, steps })
  if (settings.kAnneal) mustHaveLatents(settings, shape)
  mustFit(config, steps)
  if (config.warmUp !== undefined) mustRiseAndFall(settings, steps)
  const seed = training.seed ?? runSeed
  const orderSeed = training.orderSeed ?? runSeed
  return {
    settings,
    shape,
    inputSites,
    targetSites,
    rows,
    validationRows: training.validationRows,
    batchTokens,
    steps,
    densitySteps: Math.max(1, inSteps(training.densityWindow, steps)),
    seed,
    orderSeed,
    identity: {
      tokens,
      batchTokens,
      steps,
      seed,
      orderSeed,
      latents: shape.latents,
      learningRate: settings.learningRate,
      warmUp: settings.warmUp,
      decay: settings.decay,
      sparsityWarmUp: settings.sparsityWarmUp,
      deadAfterTokens: settings.deadAfterTokens,
      sites: inputSites,
      targets: targetSites,
    },
  }
}

/** A length of the settings in steps: below 1 it is a share of all. */
function inSteps(length: number, steps: number): number {
  return Math.min(steps, length < 1 ? Math.round(length * steps) : Math.round(length))
}

/** What a step reads, with every length in steps and every default filled in. */
function stepSettings(
  resolved: ResolvedTraining,
  { shape, tokens, batchTokens, steps }: { shape: Shape; tokens: number; batchTokens: number; steps: number },
): StepSettings {
  const { training } = resolved
  return {
    ...training,
    learningRate: training.learningRate ?? defaultRateOf(resolved, { shape, steps }),
    warmUp: inSteps(training.warmUp ?? Math.min(1000, Math.round(0.05 * steps)), steps),
    decay: inSteps(training.decay, steps),
    sparsityWarmUp: inSteps(training.sparsityWarmUp, steps),
    kAnneal: training.kAnneal === undefined ? undefined : inSteps(training.kAnneal, steps),
    deadAfterTokens: training.deadAfterTokens ?? Math.min(10_000_000, Math.max(batchTokens, Math.floor(tokens / 20))),
  }
}

/** Settings that are lengths: below 1 a share of all steps, else steps. */
const lengths = ['warmUp', 'decay', 'sparsityWarmUp', 'kAnneal', 'densityWindow'] as const

/** Throws where a length that was asked for is longer than the training; those of presets and defaults are cut to it. */
function mustFit(config: TrainConfig, steps: number): void {
  for (const key of lengths) {
    const length = config[key] as number | undefined
    if (length !== undefined && length >= 1 && Math.round(length) > steps)
      throw new UserError(`train key ${key} is ${length} steps, but the training has only ${steps}.`, {
        fix: 'Lower it, give a share of all steps (below 1), or train longer.',
      })
  }
}

/** Throws where there are too few steps for the learning rate to rise and to fall. */
function mustRiseAndFall({ schedule, warmUp, decay }: StepSettings, steps: number): void {
  if (schedule === 'linear' && warmUp + decay > steps)
    throw new UserError(
      `The learning rate rises for ${warmUp} steps and falls for ${decay}, but there are only ${steps}.`,
      { fix: 'Lower warmUp or decay, or train longer.' },
    )
}

/** Throws where k begins above the number of latents. */
function mustHaveLatents({ kFrom = 0 }: StepSettings, { latents }: Shape): void {
  if (kFrom > latents)
    throw new UserError(`train key kFrom is ${kFrom}, but there are only ${latents} latents.`, {
      fix: `Lower kFrom to ${latents} or less.`,
    })
}

/** The sites that are read and predicted, checked against the capture and the architecture. */
function chooseSites(architecture: Architecture, config: TrainConfig, capture: ActivationSource) {
  const known = capture.sites.map(site => site.name)
  const check = (name: string) => {
    if (known.includes(name)) return name
    throw new UserError(`The capture has no site ${name}.`, {
      fix: `It has ${known.join(', ')}; did you mean ${nearest(name, known, 1)[0]}?`,
    })
  }
  if (architecture.reads === 'sites') {
    const names = config.sites ?? known
    return { inputSites: names.map(check), targetSites: [] as string[] }
  }
  if (architecture.reads === 'layers') {
    const [sites, targets] = [config.sites ?? [], config.targets ?? []]
    if (sites.length === 0 || sites.length !== targets.length)
      throw new UserError(
        `A ${architecture.name} transcoder needs as many targets as sites, at least one; it has ${sites.length} sites and ${targets.length} targets.`,
        {
          fix: 'List sites and targets, from the first layer to the last.',
        },
      )
    return { inputSites: sites.map(check), targetSites: targets.map(check) }
  }
  if (config.targets)
    throw new UserError(`train key targets does not apply to the architecture ${architecture.name}.`, {
      fix: 'Give target.',
    })
  if (config.sites)
    throw new UserError(`train key sites does not apply to the architecture ${architecture.name}.`, {
      fix: 'Give site.',
    })
  const rest = known.filter(name => name !== config.target)
  if (config.site === undefined && rest.length !== 1)
    throw new UserError(`The capture has the sites ${known.join(', ')}, and train key site names none of them.`, {
      fix: `Set site, for instance to ${known[0]}.`,
    })
  const site = check(config.site ?? rest[0]!)
  if (architecture.reads === 'target') {
    if (config.target === undefined)
      throw new UserError(`A ${architecture.name} predicts another site, and train key target is missing.`, {
        fix: `Set target to one of ${known.join(', ')}.`,
      })
    return { inputSites: [site], targetSites: [check(config.target)] }
  }
  if (config.target !== undefined)
    throw new UserError(`train key target does not apply to the architecture ${architecture.name}.`, {
      fix: 'Leave it out, or choose a transcoder.',
    })
  return { inputSites: [site], targetSites: [] as string[] }
}

/** The learning rate of these settings when none is given. */
export function defaultRateOf(
  { architecture, training }: ResolvedTraining,
  { shape, steps }: Pick<TrainingPlan, 'shape' | 'steps'>,
): number {
  const rate = defaultRate(training.rateRule, shape.width / shape.sites, shape.latents, steps)
  return training.rateRule === 'width' ? rate * (architecture.rateFactor ?? 1) : rate
}

/**
 * The default learning rate. By `width`: 8 % of a unit row's typical entry (1/√width) a step, falling with the root of the
 * number of steps beyond a thousand, since a longer training needs less haste and profits from finer steps. By `latents`:
 * the scaling law that dictionary_learning and sparsify take from Gao et al., figure 3.
 */
function defaultRate(rule: 'width' | 'latents', width: number, latents: number, steps: number): number {
  if (rule === 'latents') return 2e-4 / Math.sqrt(latents / 16_384)
  return (0.08 / Math.sqrt(width)) * Math.sqrt(Math.min(1, 1000 / steps))
}
