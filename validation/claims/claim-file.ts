/** Claims that a file states before anything is measured: YAML, one entry a claim. */
import { stringify } from 'yaml'
import { z } from 'zod'
import { parseConfig, unwrap } from '../../core/config.ts'
import { eachOnce } from '../../core/each-once.ts'
import { UserError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'
import { clip, visibleLines } from '../../core/visible.ts'
import { yamlOfFile } from '../../core/yaml.ts'
import { Falsifier } from '../contracts/claim.ts'
import { type ControlKind, controlKinds } from '../controls/index.ts'
import { type Claim, FeatureEvidence } from '../evidence.ts'

/** How much later than now a file may say that it was written, for clocks that differ: five minutes in milliseconds. */
const clockSlack = 300_000

const longestHypothesis = 2000

const Hypothesis = z.string().superRefine((text, { addIssue }) => {
  const seen = visibleLines(text.replaceAll('\r', ''))
  const refuse = (message: string) => addIssue({ code: 'custom', message })
  if (seen !== text.replaceAll('\r', ''))
    refuse(`it holds characters that are not seen and change what is: “${clip(seen, 200)}”; leave them out`)
  else if (!/[\p{L}\p{N}]/u.test(text)) refuse('a hypothesis says something, in words')
  else if (text.length > longestHypothesis)
    refuse(`it has ${text.length} characters, where ${longestHypothesis} are the most`)
})

/** One claim of the file, about one latent or several that are each put to it. What is left out is as the settings say. */
export const StatedClaim = z.strictObject({
  latents: z.array(z.int().min(0)).min(1),
  hypothesis: Hypothesis,
  /** The labelled concept; null for what follows where the latent is active. */
  concept: z.string().nullable(),
  metric: z.literal('target').default('target'),
  intervention: z.enum(['ablate', 'steer']).optional(),
  direction: z.enum(['increase', 'decrease']).optional(),
  smallestEffect: z.number().gt(0).optional(),
  alpha: z.number().gt(0).lt(0.5).optional(),
  power: z.number().gt(0).lt(1).optional(),
  strata: z.record(z.string(), eachOnce(z.array(z.string()).min(1))).default({}),
  /** Kinds that must be beaten besides tied, random and foreign ones. */
  controls: eachOnce(z.array(z.enum(controlKinds as [ControlKind, ...ControlKind[]]))).default([]),
  falsifiers: eachOnce(z.array(Falsifier)).default([]),
})
export type StatedClaim = z.output<typeof StatedClaim>

const ClaimFile = z.strictObject({
  schema: z.literal(1),
  /** When the claims were written down. */
  written: z.iso.datetime({ offset: true }),
  /** The content hash of the SAE that they are about. */
  sae: z.string().optional(),
  claims: z.array(z.unknown()).min(1),
})

/** A file of claims, read. */
export interface StatedClaims {
  readonly sha256: string
  readonly written: string
  readonly sae: string | undefined
  readonly claims: readonly StatedClaim[]
}

/**
 * Claims of a file's text, as it is read at a time; a `UserError` for unknown keys, a time to come, falsifiers that nothing is found at,
 * and latents claimed twice.
 */
export function readClaims(text: string, path: string, sha256: string, now: Date): StatedClaims {
  const value = yamlOfFile(text, path, 'file of claims')
  const file = parseConfig(ClaimFile, value, `the file of claims ${path}`)
  if (Date.parse(file.written) > now.getTime() + clockSlack)
    throw new UserError(
      `The file of claims ${path} says that it was written at ${file.written}, which is later than now (${now.toISOString()}).`,
      { fix: 'Give under written when the claims were written down: that is before they are tested.' },
    )
  const claims = file.claims.map((claim, i) => parseConfig(StatedClaim, claim, `claim ${i + 1} of ${path}`))
  const seen = new Map<number, number>()
  for (const [i, { latents, falsifiers }] of claims.entries()) {
    for (const latent of latents) {
      if (seen.has(latent))
        throw seen.get(latent) === i + 1
          ? new UserError(`Claim ${i + 1} of ${path} names latent ${latent} twice.`, { fix: 'Name it once.' })
          : new UserError(`Latent ${latent} is in claim ${seen.get(latent)} and in claim ${i + 1} of ${path}.`, {
              fix: 'State one claim of a latent in a file; another one is for another run.',
            })
      seen.set(latent, i + 1)
    }
    for (const falsifier of falsifiers) mustLeadSomewhere(falsifier, `claim ${i + 1} of ${path}`)
  }
  return { sha256, written: file.written, sae: file.sae, claims }
}

/** Refuses a falsifier at whose path evidence never holds a plain value, or none that its condition could find. */
function mustLeadSomewhere(falsifier: Falsifier, what: string): void {
  const { path } = falsifier
  let part: z.ZodType = FeatureEvidence
  const walked: string[] = []
  for (const key of path.split('.')) {
    const inner = unwrap(part)
    const shape = inner instanceof z.ZodObject ? (inner.shape as Record<string, z.ZodType>) : {}
    const next = Object.hasOwn(shape, key) ? shape[key] : undefined
    if (!next) {
      const [best] = nearest(key, Object.keys(shape), 1)
      throw new UserError(
        `${what} has the falsifier ${path}, but evidence of a feature has no ${[...walked, key].join('.')}.`,
        {
          fix: best
            ? `Did you mean ${[...walked, best].join('.')}?`
            : `${walked.join('.')} is as deep as a path can go.`,
        },
      )
    }
    walked.push(key)
    part = next
  }
  const inner = unwrap(part)
  if (inner instanceof z.ZodObject || inner instanceof z.ZodArray || inner instanceof z.ZodRecord)
    throw new UserError(`${what} has the falsifier ${path}, which holds several values.`, {
      fix:
        inner instanceof z.ZodObject
          ? `Name one of ${Object.keys(inner.shape)
              .map(key => `${path}.${key}`)
              .join(', ')}.`
          : 'Name a single one.',
    })
  mustBeFindable(falsifier, inner, what)
}

/** Refuses a condition that no value of this kind meets: it would never refute anything. */
function mustBeFindable({ path, is }: Falsifier, value: z.ZodType, what: string): void {
  const isNumber = value instanceof z.ZodNumber
  if (is === undefined) {
    if (isNumber) return
    throw new UserError(`${what} has a falsifier with above or below, but ${path} is no number.`, {
      fix: 'Say with is which value would refute the claim.',
    })
  }
  if (value.safeParse(is).success) return
  const choices = value instanceof z.ZodEnum ? value.options.map(String) : []
  const [best] = nearest(String(is), choices, 1)
  throw new UserError(`${what} has a falsifier that finds ${path} to be ${JSON.stringify(is)}, which it never is.`, {
    fix:
      choices.length > 0
        ? `${best ? `Did you mean ${best}? ` : ''}It is one of ${choices.join(', ')}.`
        : `It is a ${isNumber ? 'number' : value instanceof z.ZodBoolean ? 'truth: true or false' : 'value of another kind'}.`,
  })
}

/** A file that states these claims, for a person to change before anything is measured. */
export function claimsText(claims: readonly Claim[], { written, sae }: { written: string; sae: string }): string {
  const stated = claims.map(claim => ({
    latents: [claim.feature],
    hypothesis: claim.hypothesis,
    concept: claim.concept,
    metric: claim.metric,
    intervention: claim.primary,
    direction: claim.direction,
    smallestEffect: claim.smallestEffect,
    alpha: claim.alpha,
    power: claim.power,
    strata: {},
    controls: [],
    falsifiers: [{ path: 'studies.transfer.verdict', is: 'fail' }],
  }))
  return statedText(stated, { written, sae })
}

/** A claim as a file states it; what is left out is as the settings say. */
export type WrittenClaim = z.input<typeof StatedClaim>

/** A file of claims: with how to write one on top, and what else there is to say of it. */
export function statedText(
  claims: readonly WrittenClaim[],
  { written, sae, says = [] }: { written: string; sae: string | undefined; says?: readonly string[] },
): string {
  const head = [
    ...says.map(line => `# ${line}`),
    '# Claims, to be written before anything is measured: change what you expect, then',
    '# pipeline validate --sae … --claimsFile this-file.yaml',
    '# strata: values that it must hold in, such as {language: [de]}; controls: kinds to be beaten besides tied, random and',
    '# foreign; falsifiers: a path in the feature’s evidence with one of is, above and below that would refute the claim.',
  ]
  const file = { schema: 1, written, ...(sae === undefined ? {} : { sae }), claims }
  return `${head.join('\n')}\n${stringify(file, { lineWidth: 120 })}`
}

/** The claim of a latent, or undefined where the file has none. */
export function statedFor(stated: StatedClaims | undefined, latent: number): StatedClaim | undefined {
  return stated?.claims.find(({ latents }) => latents.includes(latent))
}
