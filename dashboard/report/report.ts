/** The report stage: one HTML file about an SAE, from the runs that made, tested and labelled it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeAtomic } from '../../core/files.ts'
import type { StageContext } from '../../core/stage.ts'
import { readCaptureManifest } from '../../datasets/shards/index.ts'
import { mustBelong } from '../../labels/belongs.ts'
import { type Feature, isLabelled } from '../../labels/feature.ts'
import { readFeatures } from '../../labels/files.ts'
import type { RunManifest } from '../../runs/run.ts'
import { type Evidence, evidenceByLatent, readEvidence } from '../../validation/evidence.ts'
import { short } from '../charts/index.ts'
import { escapeHtml, shown } from '../html.ts'
import { readExamples } from '../read/examples.ts'
import { type Roc, rocOfLatent, selectivityFile, selectivitySchema } from '../read/roc.ts'
import { Table } from '../read/table.ts'
import { type Answered, answersHtml } from './answers.ts'
import { captureHtml } from './capture.ts'
import { chooseFeatures, densityHistogram, featureCard } from './features.ts'
import { page, type Section, type Tile, table, tiles } from './page.ts'
import { stillRoc } from './selectivity.ts'
import { type MetricsRecord, trainingCharts } from './training.ts'
import { type Surroundings, validationHtml } from './validation.ts'

/** A finished run that the report shows. */
export interface ReportedRun {
  readonly directory: string
  readonly manifest: RunManifest
}

export interface ReportInputs {
  readonly title: string
  /** The SAE that everything is about. */
  readonly sae: { readonly name: string; readonly hash: string }
  readonly capture?: ReportedRun | undefined
  readonly train?: ReportedRun | undefined
  readonly validate?: ReportedRun | undefined
  readonly label?: ReportedRun | undefined
  /** Features shown with their examples. */
  readonly features: number
}

/** Writes report.html into the context's directory. Sections without a run are left out. */
export async function report(context: StageContext, inputs: ReportInputs): Promise<Record<string, unknown>> {
  const { capture, train, validate, label } = inputs
  const labels = label ? await readFeatures(label.directory) : []
  const evidence = validate && (await readEvidence(join(validate.directory, 'evidence.json')))
  checkBelonging(inputs, evidence, labels)
  const features = withEvidence(labels, evidence)
  const chosen = chooseFeatures(features, inputs.features)
  const names = new Map(features.flatMap(({ latent, label }) => (label === null ? [] : [[latent, label] as const])))
  const cards = new Set(chosen.map(({ latent }) => latent))
  const sections: Section[] = []
  if (evidence) {
    const around = await aroundClaims(validate!, evidence, new Map(labels.map(feature => [feature.latent, feature])))
    sections.push({
      id: 'evidence',
      title: 'Evidence',
      html: `${from(validate, 'evidence.json')}${validationHtml(evidence, { names, cards, around })}`,
    })
  }
  if (label)
    sections.push({
      id: 'features',
      title: 'Features',
      html: `${from(label, 'features.parquet')}${await featuresHtml(label.directory, features, chosen)}`,
    })
  if (train) {
    const html = `${from(train, 'metrics.jsonl')}${trainingCharts(await readMetrics(train.directory))}`
    sections.push({ id: 'training', title: 'Training', html })
  }
  if (capture) {
    const html = `${from(capture, 'capture.json')}${captureHtml(await readCaptureManifest(capture.directory))}`
    sections.push({ id: 'data', title: 'Data', html })
  }
  const runs = [capture, train, validate, label].filter(run => run !== undefined)
  sections.push({ id: 'lineage', title: 'Lineage', html: lineageHtml(runs) })
  const html = page(inputs.title, lead(inputs, features), sections)
  await writeAtomic(join(context.directory, 'report.html'), html)
  return { sections: sections.length, features: chosen.length, bytes: Buffer.byteLength(html) }
}

/** Thresholds of a curve: its table has a row each, for every claim of the page. */
const mostThresholds = 24

/** The five answers before each claim's verdict, and how well its latent tells the concept by threshold after its pictures. */
async function aroundClaims(
  { directory, manifest }: ReportedRun,
  { features }: Evidence,
  labels: ReadonlyMap<number, Feature>,
): Promise<NonNullable<Surroundings['around']>> {
  const curves = new Map<number, Roc>()
  if (selectivityFile in manifest.files) {
    const raw = await Table.open(join(directory, selectivityFile), selectivitySchema)
    for (const { claim, selectivity } of features)
      if (selectivity) curves.set(claim.feature, await rocOfLatent(raw, claim.feature, mostThresholds))
  }
  return evidence => {
    const { claim, selectivity } = evidence
    const feature = labels.get(claim.feature)
    const label = feature && shownLabelOfFeature(feature)
    const tokens = feature?.tokens.map(({ token }) => token) ?? []
    const found = curves.get(claim.feature)
    return {
      first: answersHtml({ label: label ?? null, evidence, evidenceRun: null, command: null, tokens }),
      ...(found &&
        selectivity && {
          after: stillRoc({ ...found, concept: selectivity.concept, evidenceRun: manifest.id }, claim.feature),
        }),
    }
  }
}

/** A label with its score and what it covers, as its record says; null where the latent has none. */
function shownLabelOfFeature(feature: Feature): Answered['label'] {
  if (feature.label === null) return null
  return {
    text: feature.label,
    scoreName: feature.labelScoreName ?? 'f1',
    score: feature.labelScore ?? feature.labelF1,
    coverage: feature.labelCoverage ?? feature.labelRecall,
    madeBy: feature.labelSource ?? 'rule',
  }
}

/** Refuses evidence and labels of another SAE, and evidence about another model or text than the labels are. */
function checkBelonging(
  { sae, validate, label }: ReportInputs,
  evidence: Evidence | undefined,
  features: readonly Feature[],
) {
  const namesOf = (run: ReportedRun) =>
    Object.fromEntries(run.manifest.inputs.map(({ role, run, path }) => [role, run ?? path ?? role]))
  const evidenceIs = validate &&
    evidence && { what: `the evidence of ${validate.manifest.id}`, hashes: evidence.hashes, names: namesOf(validate) }
  const labelsAre = label &&
    features[0] && { what: `the labelling ${label.manifest.id}`, hashes: features[0].hashes, names: namesOf(label) }
  const report = { what: 'the report', hashes: { sae: sae.hash }, names: { sae: sae.name } }
  for (const found of [evidenceIs, labelsAre]) if (found) mustBelong(found, report)
  if (evidenceIs && labelsAre) mustBelong(evidenceIs, labelsAre)
}

/** Features with the verdicts of the evidence that the report shows, whichever the labels were joined with. */
function withEvidence(features: readonly Feature[], evidence: Evidence | undefined): readonly Feature[] {
  if (!evidence) return features
  const byLatent = evidenceByLatent(evidence)
  return features.map(feature => ({ ...feature, evidence: byLatent.get(feature.latent) ?? null }))
}

/** Where the numbers of a part are from: a page without scripts says it once. */
const from = (run: ReportedRun | undefined, file: string): string =>
  run ? `<p class="soft">From <code>${file}</code> of <code>${shown(run.manifest.id)}</code>.</p>` : ''

/** The figures a reader wants first. */
function lead({ train, validate, label }: ReportInputs, features: readonly Feature[]): string {
  const figures: Tile[] = []
  const add = (run: ReportedRun | undefined, key: string, name: string, note: string) => {
    const value = run?.manifest.summary[key]
    if (typeof value === 'number') figures.push({ name, value: short(value), note })
  }
  const heldOut = 'on held-out text'
  const latents = train?.manifest.summary.latents ?? features.length
  if (typeof latents === 'number' && latents > 0) figures.push({ name: 'latents', value: short(latents) })
  if (validate) add(validate, 'fvu', 'FVU', `variance unexplained, ${heldOut}`)
  else add(train, 'fvu', 'FVU', 'variance unexplained, on rows that it was trained on')
  if (validate) add(validate, 'l0', 'L0', `latents a token, ${heldOut}`)
  else add(train, 'l0', 'L0', 'latents a token, on rows that it was trained on')
  const dead = deadLatents({ train, validate, label }, features)
  if (dead) figures.push(dead)
  add(validate, 'ceRecoveredMean', 'CE recovered', `against mean ablation, ${heldOut}`)
  add(validate, 'latents', 'latents tested', 'causally, with controls')
  add(validate, 'passed', 'passed', 'beyond every control')
  if (label)
    figures.push({
      name: 'labelled by a rule',
      value: short(features.filter(isLabelled).length),
      note: `of ${features.length}`,
    })
  const site = train?.manifest.config.site
  return `<p class="lead">Sparse autoencoder${typeof site === 'string' ? ` at <code>${shown(site)}</code>` : ''}: what it learned, and which of its features have causal evidence.</p>${tiles(figures)}`
}

/** How many latents are dead, from the largest text that was read; each stage would count another text. */
function deadLatents(
  { train, validate, label }: Pick<ReportInputs, 'train' | 'validate' | 'label'>,
  features: readonly Feature[],
) {
  const text = (run: ReportedRun, key: string) => {
    const tokens = run.manifest.summary[key]
    return typeof tokens === 'number' ? `on none of ${short(tokens)} held-out tokens` : 'on no held-out token'
  }
  if (label && features.length > 0)
    return {
      name: 'dead latents',
      value: short(features.filter(({ density }) => density === 0).length),
      note: 'fire on no token that was read for labels',
    }
  const run = validate ?? train
  const dead = run?.manifest.summary.dead
  if (!run || typeof dead !== 'number') return undefined
  const note = validate ? `fire ${text(validate, 'tokens')}` : 'had not fired for long when training ended'
  return { name: 'dead latents', value: short(dead), note }
}

async function featuresHtml(
  directory: string,
  features: readonly Feature[],
  chosen: readonly Feature[],
): Promise<string> {
  const examples = await readExamples(directory, new Set(chosen.map(({ latent }) => latent)))
  const cards = chosen.map(feature => featureCard(feature, examples.get(feature.latent) ?? []))
  return `<div class="charts">${densityHistogram(features)}</div>
<p class="soft">${chosen.length} of ${features.length} latents: those tested first, then the best described. Shading is the activation as a share of the latent’s largest.</p>
${cards.join('\n')}`
}

async function readMetrics(directory: string): Promise<MetricsRecord[]> {
  const text = await readFile(join(directory, 'metrics.jsonl'), 'utf8')
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line))
}

/** Which run each part comes from, with the hashes by which it can be checked. */
function lineageHtml(runs: readonly ReportedRun[]): string {
  const rows = runs.map(({ manifest }) => [
    escapeHtml(manifest.stage),
    `<code>${shown(manifest.id)}</code>`,
    `<code>${manifest.key.slice(0, 12)}</code>`,
    manifest.inputs
      .map(({ role, run, sha256 }) => `${escapeHtml(role)} <code>${shown(run ?? sha256.slice(0, 12))}</code>`)
      .join(', '),
    String(manifest.seed),
    escapeHtml(
      `${String(manifest.engine.name ?? '–')} ${String(manifest.engine.version ?? '')} ${String(manifest.engine.precision ?? '')}`.trim(),
    ),
  ])
  return table(['Stage', 'Run', 'Key', 'Made from', '#Seed', 'Engine'], rows)
}
