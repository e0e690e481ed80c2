/** The report stage: one HTML file about an SAE, from the runs that made, tested and labelled it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeAtomic } from '../../core/files.ts'
import type { StageContext } from '../../core/stage.ts'
import { readCaptureManifest } from '../../datasets/shards/index.ts'
import { readTable } from '../../datasets/tables.ts'
import { mustBelong } from '../../labels/belongs.ts'
import { type Feature, isLabelled, labelsSchema } from '../../labels/feature.ts'
import { readFeatures } from '../../labels/files.ts'
import type { RunManifest } from '../../runs/run.ts'
import type { Evidence } from '../../validation/evidence.ts'
import { short } from '../charts/scale.ts'
import { escapeHtml } from '../html.ts'
import { captureHtml } from './capture.ts'
import { chooseFeatures, densityHistogram, featureCard, type ShownExample } from './features.ts'
import { page, type Section, table, tiles } from './page.ts'
import { type MetricsRecord, trainingCharts } from './training.ts'
import { readEvidence, validationHtml } from './validation.ts'

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
  const features = label ? await readFeatures(label.directory) : []
  const evidence = validate && (await readEvidence(validate.directory))
  checkBelonging(inputs, evidence, features)
  const names = new Map(features.flatMap(({ latent, label }) => (label === null ? [] : [[latent, label] as const])))
  const sections: Section[] = []
  if (evidence) sections.push({ id: 'evidence', title: 'Evidence', html: validationHtml(evidence, names) })
  if (label)
    sections.push({
      id: 'features',
      title: 'Features',
      html: await featuresHtml(label.directory, features, inputs.features),
    })
  if (train) {
    const html = trainingCharts(await readMetrics(train.directory))
    sections.push({ id: 'training', title: 'Training', html })
  }
  if (capture) {
    const manifest = await readCaptureManifest(capture.directory)
    sections.push({ id: 'data', title: 'Data', html: captureHtml(manifest) })
  }
  const runs = [capture, train, validate, label].filter(run => run !== undefined)
  sections.push({ id: 'lineage', title: 'Lineage', html: lineageHtml(runs) })
  const html = page(inputs.title, lead(inputs, features), sections)
  await writeAtomic(join(context.directory, 'report.html'), html)
  return {
    sections: sections.length,
    features: Math.min(inputs.features, features.length),
    bytes: Buffer.byteLength(html),
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

/** The figures a reader wants first. */
function lead({ train, validate, label }: ReportInputs, features: readonly Feature[]): string {
  const figures: { name: string; value: string; note?: string }[] = []
  const add = (run: ReportedRun | undefined, key: string, name: string, note?: string) => {
    const value = run?.manifest.summary[key]
    if (typeof value === 'number') figures.push({ name, value: short(value), ...(note ? { note } : {}) })
  }
  add(train, 'latents', 'latents')
  add(train, 'fvu', 'FVU', 'variance unexplained')
  add(train, 'l0', 'L0', 'latents a token')
  add(train, 'dead', 'dead latents')
  for (const [key, name, note] of leadFigures) add(validate, key, name, note)
  if (label) {
    const ruled = features.filter(isLabelled).length
    figures.push({ name: 'labelled by a rule', value: short(ruled), note: `of ${features.length}` })
  }
  const site = train?.manifest.config.site
  return `<p class="lead">Sparse autoencoder${typeof site === 'string' ? ` at <code>${escapeHtml(site)}</code>` : ''}: what it learned, and which of its features have causal evidence.</p>${tiles(figures)}`
}

/** Figures of the validate run's summary that stand at the top. */
const leadFigures: readonly (readonly [string, string, string])[] = [
  ['ceRecoveredMean', 'CE recovered', 'against mean ablation'],
  ['latents', 'features tested', 'causally, with controls'],
  ['passed', 'passed', 'beyond every control'],
]

async function featuresHtml(directory: string, features: readonly Feature[], count: number): Promise<string> {
  const chosen = chooseFeatures(features, count)
  const examples = await examplesByLatent(directory, new Set(chosen.map(({ latent }) => latent)))
  const cards = chosen.map(feature => featureCard(feature, examples.get(feature.latent) ?? []))
  return `<div class="charts">${densityHistogram(features)}</div>
<p class="soft">${chosen.length} of ${features.length} features: those tested first, then the best described. Shading is the activation as a share of the latent’s largest.</p>
${cards.join('\n')}`
}

async function examplesByLatent(directory: string, latents: ReadonlySet<number>): Promise<Map<number, ShownExample[]>> {
  const rows = await readTable(join(directory, 'examples.parquet'), { schema: labelsSchema })
  const byLatent = new Map<number, ShownExample[]>()
  const column = <T>(name: string) => rows[name] as T[]
  const latent = column<number>('latent')
  for (let i = 0; i < latent.length; i++) {
    if (!latents.has(latent[i]!)) continue
    const example: ShownExample = {
      group: column<string>('group')[i]!,
      window: column<string>('window')[i]!,
      position: column<number>('position')[i]!,
      start: column<number>('start')[i]!,
      activation: column<number>('activation')[i]!,
      tokens: column<string[]>('tokens')[i]!,
      activations: column<number[]>('activations')[i]!,
    }
    byLatent.set(latent[i]!, [...(byLatent.get(latent[i]!) ?? []), example])
  }
  return byLatent
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
    `<code>${escapeHtml(manifest.id)}</code>`,
    `<code>${manifest.key.slice(0, 12)}</code>`,
    manifest.inputs
      .map(({ role, run, sha256 }) => `${escapeHtml(role)} <code>${escapeHtml(run ?? sha256.slice(0, 12))}</code>`)
      .join(', '),
    String(manifest.seed),
    escapeHtml(
      `${String(manifest.engine.name ?? '–')} ${String(manifest.engine.version ?? '')} ${String(manifest.engine.precision ?? '')}`.trim(),
    ),
  ])
  return table(['Stage', 'Run', 'Key', 'Made from', '#Seed', 'Engine'], rows)
}
