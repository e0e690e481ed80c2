/** Settings of the validate stage. */
import { z } from 'zod'
import { eachOnce } from '../core/each-once.ts'
import { DatasetConfig } from '../datasets/config.ts'
import { baselineNames } from './contracts/baselines.ts'
import { studyNames } from './contracts/index.ts'
import { readIntervention } from './interventions/written.ts'

/** An intervention as settings write it; refused with what is wrong about it. */
const Intervention = z.string().superRefine((text, { addIssue }) => {
  const found = readIntervention(text)
  if (typeof found === 'string') addIssue({ code: 'custom', message: found })
})

/** An intervention of the main test. */
const mainIntervention = (takes: 'away' | 'in') =>
  Intervention.superRefine((text, { addIssue }) => {
    const found = readIntervention(text)
    if (typeof found === 'string') return
    if (found.kind.takes !== takes)
      addIssue({
        code: 'custom',
        message: `“${text}” ${takes === 'away' ? 'puts a latent in' : 'takes a latent away'}: ${takes === 'away' ? 'ablation' : 'steering'} does the opposite.`,
      })
    else if (takes === 'in' && text.includes(':'))
      addIssue({ code: 'custom', message: `“${text}” names a strength, but steering has those of doses and dose.` })
  })

const count = z.union([z.literal('auto'), z.int().min(19)]).default('auto')

export const ValidateConfig = z.strictObject({
  sae: z.string().optional().describe('Run id or directory of the trained SAE'),
  model: z.string().optional().describe('Host model directory (default: the one the SAE was captured from)'),
  dataset: DatasetConfig.optional().describe('Text to test on (default: that which the SAE was captured from)'),
  outOfDistribution: z
    .strictObject({
      strata: z
        .record(z.string(), eachOnce(z.array(z.string()).min(1)))
        .optional()
        .describe(
          'Values of strata fields whose held-out documents are taken from discovery and validation, e.g. {language: [de]}',
        ),
      dataset: DatasetConfig.optional().describe('Other text, all of it out of distribution'),
    })
    .prefault({})
    .describe('Documents that effects should transfer to, besides those that the dataset keeps for it'),
  siblings: eachOnce(z.array(z.string()))
    .default([])
    .describe(
      'Run ids or directories of other SAEs of the site, in which tested latents should have partners that do the same',
    ),
  nearDuplicate: z
    .number()
    .min(0.3)
    .max(1)
    .default(0.4)
    .describe(
      'Share of their runs of three tokens from which two held-out documents count as one and stay in the first of discovery, validation and out-of-distribution text',
    ),
  latents: z
    .union([z.literal('auto'), z.int().min(1), eachOnce(z.array(z.int().min(0)).min(1))])
    .default('auto')
    .describe('Latents to test: a list, or how many discovery text chooses; auto: 8'),
  claims: z
    .enum(['auto', 'concept', 'firing'])
    .default('auto')
    .describe(
      'What a latent should cause: its concept’s tokens, or those that follow where it fires; auto: the first where discovery text shows minimumAuroc',
    ),
  claimsFile: z
    .string()
    .optional()
    .describe('YAML file of claims that were written before: latents, hypothesis, concept, what would refute them'),
  primary: z
    .enum(['ablate', 'steer'])
    .default('ablate')
    .describe('Intervention on which the verdict rests; the other one is reported beside it'),
  ablation: mainIntervention('away')
    .default('zero')
    .describe('How the latent is taken away: zero, mean, resample, project, scale, clamp, as kind:strength@positions'),
  steering: mainIntervention('in').default('set').describe('How the latent is put in: set or add, as kind@positions'),
  documents: z.int().min(3).default(16).describe('Validation documents for each intervention on a latent'),
  positions: z.int().min(4).default(64).describe('Tokens of a document that interventions see, from its start'),
  tokens: z.int().min(100).default(50_000).describe('Tokens of discovery and of validation text read, each'),
  maxTokens: z.int().min(100).default(100_000).describe('Held-out tokens that reconstruction is measured on'),
  positionBands: z
    .array(z.int().min(2))
    .refine(edges => edges.every((edge, i) => i === 0 || edge > edges[i - 1]!), 'must increase')
    .default([8, 32, 128])
    .describe('Positions at which a new band begins, of those that reconstruction is given by'),
  batchTokens: z.int().min(16).default(8192).describe('Tokens run through the model at once'),
  controls: z
    .strictObject({
      tied: count.describe(
        'Random directions that fire as often as the latent does, each on tokens and with a target of its own',
      ),
      random: count.describe('Random directions of equal norm'),
      foreign: count.describe('Other active latents of equal norm'),
      matched: z
        .int()
        .min(0)
        .default(0)
        .describe('Other active latents most like the latent in density, activation and the tokens they fire at'),
      covariance: z.int().min(0).default(0).describe('Random directions with the covariance of the values'),
    })
    .prefault({})
    .describe('Controls that each latent is compared with; auto: as many as the number of latents asks for'),
  doses: eachOnce(z.array(z.number()))
    .default([-1, 0, 0.5, 1, 2])
    .describe('Steering strengths, in units of the latent’s p99 activation'),
  dose: z
    .number()
    .refine(dose => dose !== 0, 'a dose of 0 puts nothing in')
    .default(1)
    .describe('Strength at which steering is compared with controls'),
  alpha: z.number().gt(0).lt(0.5).default(0.05).describe('Level of tests and false discovery rate'),
  power: z.number().gt(0).lt(1).default(0.8).describe('Power at which minimum detectable effects are given'),
  smallestEffect: z
    .number()
    .gt(0)
    .default(0.05)
    .describe('Smallest effect of interest, in nats of the target beyond the controls'),
  minimumAuroc: z.number().min(0.5).max(1).default(0.75).describe('AUROC that a claimed concept must reach'),
  minimumSeparation: z
    .number()
    .min(0)
    .default(0.5)
    .describe('Concepts that the next token tells less well than this, in nats, are not claimed: nothing would show'),
  shuffles: z
    .union([z.literal('auto'), z.int().min(99)])
    .default('auto')
    .describe('Label shuffles for the null of selectivity; auto: as many as the number of latents asks for'),
  bootstrap: z.int().min(200).default(2000).describe('Bootstrap draws for each interval'),
  concepts: eachOnce(z.array(z.string()))
    .optional()
    .describe('Concepts that claims may name (default: all the dataset has)'),
  robustness: eachOnce(z.array(z.string()))
    .optional()
    .describe('Strata fields whose values effects are given for (default: all the dataset has)'),
  baselines: z
    .strictObject({
      kinds: z
        .union([z.enum(['auto', 'all']), eachOnce(z.array(z.enum(baselineNames)))])
        .default('auto')
        .describe(
          'Baselines that the study of that name makes, by name, all of them, or auto: those that need no training',
        ),
      claims: z.int().min(1).default(4).describe('Claims of each draw of a baseline'),
      repeats: z.int().min(1).default(1).describe('Draws of each baseline that is drawn'),
      tokens: z.int().min(1000).default(500_000).describe('Tokens that trained baselines learn from, repeats counted'),
    })
    .prefault({})
    .describe('SAEs that learned less, or nothing, put to the same test'),
  measures: z
    .strictObject({
      repeats: z
        .int()
        .min(3)
        .default(5)
        .describe('Repetitions of each measure, by which the smallest reliable difference is given'),
      concepts: z
        .int()
        .min(1)
        .default(16)
        .describe('Concepts that probing and absorption look at, by lot where there are more'),
      ravel: z
        .string()
        .optional()
        .describe('Folder of RAVEL whose entities the model is asked about (default: those of toyworld)'),
      entities: z
        .string()
        .optional()
        .describe('Which kind of entities of that folder (default: city); only with ravel'),
    })
    .refine(({ ravel, entities }) => entities === undefined || ravel !== undefined, {
      ...{
        path: ['entities'],
        error: 'is a kind of entities of the folder that measures.ravel names, which is left out',
      },
    })
    .prefault({})
    .describe('Measures of the SAE as a whole: the studies probing, absorption and ravel'),
  studies: z
    .union([z.enum(['auto', 'all']), eachOnce(z.array(z.enum(studyNames)))])
    .default('auto')
    .describe('Further studies, by name, all of them, or auto: those that cost little'),
  interventions: eachOnce(z.array(Intervention).min(1))
    .default(['zero', 'mean', 'resample', 'project', 'scale', 'clamp', 'set', 'add', 'set@last'])
    .describe('What the study interventions compares: kind, kind:strength, kind@positions, such as add:2@last'),
  strengths: eachOnce(z.array(z.number()))
    .refine(doses => new Set(doses).size >= 9 && !doses.includes(0), 'at least nine strengths, 0 not among them')
    .refine(
      doses => doses.some(dose => dose < 0) && doses.filter(dose => dose > 0).length >= 4,
      'a negative strength and four positive ones at least',
    )
    .default([-2, -1, -0.5, -0.1, 0.1, 0.5, 1, 2, 4])
    .describe('Doses of the study doses, in units of the latent’s p99 activation; 0 does nothing and is always meant'),
  offTargetMargin: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.5)
    .describe('Off-target effects below this share of the own one are taken for none by the study specificity'),
  klCap: z
    .number()
    .gt(0)
    .default(0.05)
    .describe('Side effect that steering may have, in nats of KL, for the study doses'),
  setSize: z.int().min(2).max(6).default(4).describe('Latents that the study sets takes away in every combination'),
})

export type ValidateConfig = z.output<typeof ValidateConfig>

/** Fewest and most controls of a kind that `auto` takes. */
const automaticControls = { fewest: 99, most: 399 } as const

/**
 * How many controls a setting means for a number of claims. Of K controls the smallest p is 1 / (K + 1), and one true claim
 * among m is found at level α only where that is at most α / m; so K = m / α − 1, within bounds.
 */
export function controlCount(setting: 'auto' | number, claims: number, alpha: number): number {
  if (setting !== 'auto') return setting
  return Math.min(automaticControls.most, Math.max(automaticControls.fewest, Math.ceil(claims / alpha) - 1))
}

/** Of tied controls `auto` takes this much more: those that fire in too few documents are no controls, and the rest must be enough. */
const tiedSpare = 1.25

/** How many tied controls a setting means for a number of claims. */
export function tiedControlCount(setting: 'auto' | number, claims: number, alpha: number): number {
  return setting === 'auto' ? Math.ceil(tiedSpare * controlCount('auto', claims, alpha)) : setting
}
