/** A run: what it is, what it was made from and with, and what its stage shows of itself. */
import { readCaptureManifest } from '../../../datasets/shards/index.ts'
import type { FinishedRun, RunManifest } from '../../../runs/run.ts'
import { readEvidence } from '../../../validation/evidence.ts'
import { short } from '../../charts/scale.ts'
import { escapeHtml, shown } from '../../html.ts'
import { readMetrics } from '../../read/metrics.ts'
import { captureHtml } from '../../report/capture.ts'
import { table, tiles } from '../../report/page.ts'
import { type MetricsRecord, trainingCharts } from '../../report/training.ts'
import { validationHtml } from '../../report/validation.ts'
import type { Sources } from '../route.ts'
import { link, type PageRoute } from './page.ts'

export const runPage: PageRoute = {
  path: '/runs/{run}',
  async make(sources, { run }) {
    const found = await sources.runs.find(run!)
    const { manifest } = found
    const { id, stage, status, started, summary, config, files } = manifest
    const facts = [
      ['Stage', escapeHtml(stage)],
      ['Status', escapeHtml(status)],
      ['Started', escapeHtml(started)],
      ['Seed', String(manifest.seed)],
      [
        'Engine',
        shown(
          Object.values(manifest.engine)
            .filter(value => typeof value !== 'object')
            .join(' '),
        ),
      ],
      ['Command that checks it', `<code>pipeline runs verify ${shown(id)}</code>`],
    ]
    return {
      title: id,
      body: `${tiles(figuresOf(summary))}
${await shownOf(sources, found)}
<h2>What it is</h2>${table(['', 'Value'], facts)}
<h2>Made from</h2>${inputsHtml(manifest)}
<h2>Settings</h2>${table(
        ['Key', 'Value'],
        leaves(config).map(([key, value]) => [`<code>${shown(key, 200)}</code>`, shown(value, 300)]),
      )}
<h2>Files</h2>${table(
        ['File', 'sha256'],
        Object.entries(files).map(([name, hash]) => [
          `<code>${shown(name)}</code>`,
          `<code>${escapeHtml(hash.slice(0, 16))}…</code>`,
        ]),
      )}`,
    }
  },
}

function figuresOf(summary: RunManifest['summary']) {
  return Object.entries(summary)
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    .slice(0, 12)
    .map(([name, value]) => ({ name, value: short(value) }))
}

/** What the stage shows of itself; nothing before the run is finished, but for curves. */
async function shownOf({ runs }: Sources, run: FinishedRun): Promise<string> {
  const { id, stage, status } = run.manifest
  if (stage === 'train') return `<h2>Training</h2>${trainingCharts(await allMetrics(run))}`
  if (status !== 'finished') return ''
  if (stage === 'label') return `<p>${link(['runs', id, 'features'], 'All features')}</p>`
  if (stage === 'capture') return `<h2>Data</h2>${captureHtml(await readCaptureManifest(run.directory))}`
  if (stage !== 'validate') return ''
  const evidence = await runs.kept(run, 'evidence.json', readEvidence)
  return `<h2>Evidence</h2>${validationHtml(evidence, { names: new Map(), cards: new Set() })}`
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

function inputsHtml({ inputs }: RunManifest): string {
  const rows = inputs.map(({ role, run, path, sha256 }) => [
    escapeHtml(role),
    run === undefined ? shown(path ?? '') : link(['runs', run], run),
    `<code>${escapeHtml(sha256.slice(0, 16))}…</code>`,
  ])
  return rows.length > 0 ? table(['Role', 'Input', 'sha256'], rows) : '<p class="nothing">Nothing.</p>'
}

/** The values of nested settings, by dotted path. */
function leaves(value: unknown, path = ''): [string, string][] {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [[path, JSON.stringify(value) ?? '']]
  return Object.entries(value).flatMap(([key, part]) => leaves(part, path ? `${path}.${key}` : key))
}
