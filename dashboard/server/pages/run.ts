/** A run: what it is, what it was made from and with, what its stage shows of itself, and how it differs from another. */
import { words } from '../../../core/text.ts'
import { readCaptureManifest } from '../../../datasets/shards/index.ts'
import { unlikelyFirst } from '../../../runs/drift.ts'
import type { FinishedRun, RunManifest } from '../../../runs/run.ts'
import { readEvidence } from '../../../validation/evidence.ts'
import { diff, lineage as lineageContract, runs as runsContract, verify } from '../../api/contracts/runs.ts'
import { figureOf, lineage, short } from '../../charts/index.ts'
import { broken, commandText, escapeHtml, shown } from '../../html.ts'
import { originOf } from '../../origin.ts'
import { driftIn } from '../../read/drift.ts'
import { readMetrics } from '../../read/metrics.ts'
import { captureHtml } from '../../report/capture.ts'
import { figureOrigin } from '../../report/definitions.ts'
import { driftHtml } from '../../report/drift.ts'
import { pill, table, tiles } from '../../report/page.ts'
import { type MetricsRecord, trainingCharts } from '../../report/training.ts'
import { validationHtml } from '../../report/validation.ts'
import type { Sources } from '../route.ts'
import { type Ask, askOf, orWhyNot } from './ask.ts'
import { form, select } from './form.ts'
import { graphData } from './lineage.ts'
import { link, type PageRoute } from './page.ts'

/** What one would do next with a run of a stage. */
const nextCommands: Readonly<Record<string, (id: string) => string>> = {
  capture: id => `pipeline train --capture ${id}`,
  train: id => `pipeline validate --sae ${id}`,
  import: id => `pipeline validate --sae ${id}`,
  validate: id => `pipeline label --sae SAE --evidence ${id}`,
}

export const runPage: PageRoute = {
  path: '/runs/{run}',
  async make(sources, { run }, query) {
    const ask = askOf(sources)
    const found = await sources.runs.find(run!)
    const { manifest } = found
    const { id, stage, status, started, summary, files } = manifest
    const hops = query.get('hops') ?? '2'
    const graph = await ask(lineageContract, { parts: { run: id }, query: { hops } })
    const next = nextCommands[stage]?.(id)
    const facts = [
      ['Stage', escapeHtml(stage)],
      ['Status', escapeHtml(status)],
      ['Started', escapeHtml(started)],
      ['Ended', manifest.finished === null ? 'not yet' : escapeHtml(manifest.finished)],
      ['Seed', String(manifest.seed)],
      ['Engine', shown(plain(manifest.engine), 200)],
      ['Machine', shown(plain(manifest.machine), 200)],
      ['Versions', shown(plain(manifest.versions), 200)],
      ...(next && status === 'finished' ? [['Next', `<code>${commandText(next, 200)}</code>`]] : []),
    ]
    return {
      title: id,
      body: `<nav aria-label="Parts">${partsOf(manifest)}</nav>
<div data-live="figures"${originOf({ run: id, file: 'run.json' })} data-where="summary">${stateHtml(status)}${tiles(figuresOf(summary))}</div>
<div data-live="stage">${await orWhyNot(shownOf(sources, found))}</div>
<h2>Lineage</h2>
${figureOf(lineage, graphData(graph, id), { title: `What ${id} was made from and what was made from it`, note: 'Orange: something it was made from is another by now. Red: an input changed or is gone.' })}
<p class="soft">Steps either way: ${[1, 2, 5, 1000].map(count => (String(count) === hops ? `<b>${count}</b>` : `<a href="?hops=${count}">${count === 1000 ? 'all' : count}</a>`)).join(' · ')}</p>
<h2>What it is</h2>${table(['What', 'Value'], facts)}
<h2 id="settings">Settings</h2>
${await orWhyNot(settingsHtml(ask, manifest, query.get('with') ?? ''))}
<h2 id="files">Files</h2>
${query.get('verify') === null ? `<p><a href="?verify=1#files">Hash the files again</a>, or type <code>pipeline runs verify ${shown(id)}</code>.</p>` : await orWhyNot(verifyHtml(ask, id))}
${table(
  ['File', 'sha256'],
  Object.entries(files).map(([name, hash]) => [`<code>${broken(name)}</code>`, `<code>${escapeHtml(hash)}</code>`]),
)}`,
    }
  },
}

const plain = (values: Readonly<Record<string, unknown>>) =>
  Object.entries(values)
    .filter(([, value]) => value !== null && typeof value !== 'object')
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ')

/** Where else one reads of it. */
function partsOf({ id, stage, status, inputs }: RunManifest): string {
  const evidence = inputs.find(({ role }) => role === 'evidence')?.run
  const parts = [
    ...(stage === 'label' ? [link(['runs', id, 'features'], 'Features')] : []),
    ...(stage === 'train' ? [`<a href="/train?run=${encodeURIComponent(id)}">Curves</a>`] : []),
    ...(status === 'finished' && (stage === 'train' || stage === 'import')
      ? [`<a href="/play?sae=${encodeURIComponent(id)}">Playground</a>`]
      : []),
    ...(stage === 'validate' ? [`<a href="/claims?run=${encodeURIComponent(id)}">Claims</a>`] : []),
    ...(evidence ? [link(['runs', evidence], 'Evidence')] : []),
    `<a href="/api/runs/${encodeURIComponent(id)}">Manifest</a>`,
  ]
  return parts.join('')
}

/** What a run that is not finished is, and what finishes it. */
function stateHtml(status: RunManifest['status']): string {
  if (status === 'finished') return ''
  return `<p class="warning" role="status">${pill(status)} ${
    status === 'running'
      ? 'Not finished: its work goes on, or was killed, and then the same command finishes it.'
      : 'Not finished: the same command goes on where it stopped, to the same bytes.'
  }</p>`
}

function figuresOf(summary: RunManifest['summary']) {
  return Object.entries(summary)
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    .slice(0, 12)
    .map(([name, value]) => ({ name: words(name), value: short(value), ...figureOrigin(name) }))
}

/** What the stage shows of itself; nothing before the run is finished, but for curves. */
async function shownOf({ runs }: Sources, run: FinishedRun): Promise<string> {
  const { id, stage, status } = run.manifest
  if (stage === 'train') return `<h2>Training</h2>${trainingCharts(await allMetrics(run), id)}`
  if (status !== 'finished') return ''
  if (stage === 'label') return `<p>${link(['runs', id, 'features'], 'All features')}</p>`
  if (stage === 'capture') return `<h2>Data</h2>${captureHtml(await readCaptureManifest(run.directory), id)}`
  if (stage === 'drift') {
    const drift = await driftIn(runs, run)
    const cells = unlikelyFirst(drift.cells).slice(0, 200)
    return `<h2>${shown(drift.a.id)} and ${shown(drift.b.id)}</h2>${driftHtml({ ...drift, cells, total: drift.cells.length }, id)}`
  }
  if (stage !== 'validate') return ''
  const evidence = await runs.kept(run, 'evidence.json', readEvidence)
  return `<h2>Evidence</h2>${validationHtml(evidence, { names: new Map(), cards: new Set(), run: id })}`
}

async function allMetrics(run: FinishedRun): Promise<MetricsRecord[]> {
  const records: MetricsRecord[] = []
  for (let cursor = 0, more = true; more; ) {
    const part = await readMetrics(run, cursor)
    records.push(...(part.records as MetricsRecord[]))
    ;({ cursor, more } = part)
  }
  return records
}

/** The settings by dotted key; beside those of another run where one is chosen. */
async function settingsHtml(ask: Ask, { id, stage, config }: RunManifest, other: string): Promise<string> {
  const { runs } = await ask(runsContract, { query: { stage, limit: '500' } })
  const others = runs.filter(one => one.id !== id).map(({ id }): [string, string] => [id, id])
  const choice =
    others.length > 0
      ? form([select('with', 'Beside those of', [['', 'no other run'], ...others], other)], 'Compare')
      : ''
  if (other === '')
    return `${choice}${table(
      ['Key', 'Value'],
      leaves(config).map(([key, value]) => [`<code>${broken(key, 200)}</code>`, shown(value, 300)]),
    )}`
  const { differences, same } = await ask(diff, { parts: { run: id }, query: { with: other } })
  const text = (value: unknown) => (value === null || value === undefined ? 'missing' : JSON.stringify(value))
  const rows = differences.map(({ key, a, b }) => [
    `<code>${shown(key, 200)}</code>`,
    shown(text(a), 300),
    shown(text(b), 300),
  ])
  return `${choice}<p>${rows.length} keys differ, ${same} are equal.</p>${table(['Key', id, other], rows)}`
}

async function verifyHtml(ask: Ask, id: string): Promise<string> {
  const { files, bytes, problems } = await ask(verify, { parts: { run: id } })
  if (problems.length === 0)
    return `<p role="status">All ${files} files (${short(bytes)} bytes) are what the manifest says.</p>`
  return `<p class="warning" role="status">Not what the manifest says:</p>${table(
    ['File', 'Problem'],
    problems.map(({ what, problem }) => [`<code>${shown(what)}</code>`, shown(problem, 300)]),
  )}`
}

/** The values of nested settings, by dotted path. */
function leaves(value: unknown, path = ''): [string, string][] {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [[path, JSON.stringify(value) ?? '']]
  return Object.entries(value).flatMap(([key, part]) => leaves(part, path ? `${path}.${key}` : key))
}
