/**
 * Evidence as a bundle: a folder that holds all that its numbers follow from, and can be held to that anywhere.
 *
 * bundle.json has the sha256 of every file and of every section of evidence.json. `verifyBundle` hashes them again and computes
 * findings, verdicts and tiers again from the tables. What does not follow from a table (what was counted for
 * targets, dealings of labels, the hashes of model and text) is held by those hashes alone, and named as such.
 */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { messageOf } from '../core/errors.ts'
import { readJson, writeJson } from '../core/files.ts'
import { hashValue, sha256File } from '../core/hash.ts'
import { Claims, type Evidence, readEvidence } from './evidence.ts'
import { differences, type Findings, recomputeFrom } from './recompute.ts'

const Bundle = z.strictObject({
  schema: z.literal(1),
  /** sha256 of each file. */
  files: z.record(z.string(), z.string()),
  /** sha256 of the canonical JSON of each top-level key of evidence.json. */
  sections: z.record(z.string(), z.string()),
})

const bundleName = 'bundle.json'
const evidenceName = 'evidence.json'
const tables = /^(effects|selectivity|reconstruction|study-[a-z-]+)\.parquet$/

/** What is wrong with a file, or with the value at a path of evidence.json. */
export interface BundleProblem {
  readonly what: string
  readonly problem: string
}

export interface BundleCheck {
  readonly problems: readonly BundleProblem[]
  readonly features: number
  /** Plain values of evidence.json that follow from tables and claims, and those that only hashes hold. */
  readonly recomputed: number
  readonly hashed: number
  /** What the latter are. */
  readonly hashedOnly: readonly string[]
}

/** Values of a feature that no table gives: by paths within it. */
const statedOfFeature = [['selectivity', 'nullMaxima']] as const
/** Sections that recomputing gives again; all others are hashed. */
const recomputedSections = ['features', 'studies', 'reconstruction']

/** Writes bundle.json, last of all files. */
export async function writeBundle(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter(name => isPart(name)).sort()
  const files: Record<string, string> = {}
  for (const name of names) files[name] = await sha256File(join(directory, name))
  const evidence = (await readJson(join(directory, evidenceName), 'evidence file')) as Record<string, unknown>
  await writeJson(join(directory, bundleName), { schema: 1, files, sections: sectionsOf(evidence) })
}

const isPart = (name: string) => name === evidenceName || name === 'claims.json' || tables.test(name)

const sectionsOf = (evidence: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(evidence).map(([key, value]) => [key, hashValue(value)]))

/** Holds a bundle to its hashes and its evidence to its tables; a damaged file is a problem and no error. */
export async function verifyBundle(directory: string): Promise<BundleCheck> {
  const problems: BundleProblem[] = []
  const report = (what: string, problem: string) => void problems.push({ what, problem })
  const nothing = { features: 0, recomputed: 0, hashed: 0, hashedOnly: [] }
  const bundle = await readBundle(directory, report)
  if (bundle) problems.push(...(await hashProblems(directory, bundle)))
  let evidence: Evidence
  let claims: unknown
  let again: Findings
  try {
    evidence = await readEvidence(join(directory, evidenceName))
    claims = await readJson(join(directory, 'claims.json'), 'file of claims')
    again = await recomputeFrom(directory, evidence)
  } catch (error) {
    report(directory, messageOf(error))
    return { problems, ...nothing }
  }
  if (bundle) problems.push(...sectionProblems(evidence, bundle))
  if ((await sha256File(join(directory, 'claims.json'))) !== evidence.claims.sha256)
    report('claims.json', 'is not the file that the evidence was measured for (claims.sha256)')
  problems.push(...valueProblems(evidence, claims, again))
  const { recomputed, hashed } = countValues(evidence)
  return { problems, features: evidence.features.length, recomputed, hashed, hashedOnly: hashedOnly(evidence) }
}

async function readBundle(
  directory: string,
  report: (what: string, problem: string) => void,
): Promise<z.infer<typeof Bundle> | undefined> {
  try {
    const result = Bundle.safeParse(await readJson(join(directory, bundleName), 'bundle file'))
    if (result.success) return result.data
    report(bundleName, `is not valid at ${result.error.issues[0]!.path.join('.')}`)
  } catch (error) {
    report(bundleName, messageOf(error))
  }
  return undefined
}

/** Files that are missing, changed, or of the bundle's kinds and not in it. */
async function hashProblems(directory: string, { files }: z.infer<typeof Bundle>): Promise<BundleProblem[]> {
  const found: BundleProblem[] = []
  for (const name of [evidenceName, 'claims.json', 'effects.parquet', 'selectivity.parquet', 'reconstruction.parquet'])
    if (!Object.hasOwn(files, name)) found.push({ what: name, problem: 'is not in bundle.json' })
  for (const [name, hash] of Object.entries(files)) {
    if (!isPart(name)) found.push({ what: name, problem: 'is no file of a bundle' })
    else if (!existsSync(join(directory, name))) found.push({ what: name, problem: 'is missing' })
    else if ((await sha256File(join(directory, name))) !== hash) found.push({ what: name, problem: 'has changed' })
  }
  for (const name of await readdir(directory))
    if (isPart(name) && !Object.hasOwn(files, name)) found.push({ what: name, problem: 'is not in bundle.json' })
  return found
}

/** Sections of the evidence whose hash is another, and no more or fewer of them. */
function sectionProblems(evidence: Evidence, { sections }: z.infer<typeof Bundle>): BundleProblem[] {
  const now = sectionsOf(evidence)
  return [...new Set([...Object.keys(now), ...Object.keys(sections)])]
    .filter(key => now[key] !== sections[key])
    .map(key => ({ what: key, problem: 'is not as its hash in bundle.json says' }))
}

/** Values that claims and tables do not give again. */
export function valueProblems(evidence: Evidence, claims: unknown, again: Findings): BundleProblem[] {
  const found: BundleProblem[] = []
  const report = (what: string, problem: string) => void found.push({ what, problem })
  const parsed = Claims.safeParse(claims)
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!
    report('claims.json', `is not valid at ${path.join('.') || 'its top'}: ${message}`)
  } else {
    if (parsed.data.seed !== evidence.seed) report('seed', 'is not that of claims.json')
    const stated = parsed.data.claims
    evidence.features.forEach(({ claim }, i) => {
      for (const path of differences(claim, stated[i], `features.${i}.claim`))
        report(path, 'is not as claims.json has it')
    })
    if (stated.length !== evidence.features.length)
      report('features', `are ${evidence.features.length} of the ${stated.length} that were claimed`)
  }
  for (const section of ['features', 'studies', 'reconstruction', 'definitions'] as const)
    for (const path of differences(evidence[section], again[section], section))
      report(path, section === 'definitions' ? 'is not what this version means' : 'does not follow from the tables')
  for (const what of again.strangers) report(what, 'is in a table, but not of its split')
  const { discovery, validation, outOfDistribution } = evidence.splits
  const all = [...discovery, ...validation, ...outOfDistribution]
  if (new Set(all).size !== all.length) report('splits', 'name a window twice')
  return found
}

function countValues(evidence: Evidence): { recomputed: number; hashed: number } {
  const leaves = (value: unknown): number =>
    value !== null && typeof value === 'object'
      ? Object.values(value).reduce((sum: number, one) => sum + leaves(one), 0)
      : 1
  const all = leaves(evidence)
  const stated = evidence.features.reduce((sum, { selectivity }) => sum + (selectivity?.nullMaxima.length ?? 0), 0)
  const followed = recomputedSections.reduce((sum, key) => sum + leaves(evidence[key as keyof Evidence]), 0)
  const recomputed = followed + leaves(evidence.definitions) - stated
  return { recomputed, hashed: all - recomputed }
}

/** What only hashes hold, in words of the evidence. */
function hashedOnly(evidence: Evidence): string[] {
  const sections = Object.keys(evidence).filter(key => ![...recomputedSections, 'definitions'].includes(key))
  return [...sections, ...statedOfFeature.map(path => `features.*.${path.join('.')}`), 'features.*.claim']
}
