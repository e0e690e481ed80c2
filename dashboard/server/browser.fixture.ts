/** A store of made-up runs on disk, as far as pages read them: a train run, a validate run and a label run with hostile texts in it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Metrics } from '../../core/stage.ts'
import { evidenceOf, featureOf, testedAs } from '../../labels/evidence.fixture.ts'
import type { Feature } from '../../labels/feature.ts'
import { writeJsonLines } from '../../labels/files.ts'
import { writeFeatures } from '../../labels/tables.ts'
import { driftFile } from '../../runs/drift.ts'
import { contentHash } from '../../runs/seal.ts'
import { RunStore } from '../../runs/store.ts'
import type { Evidence } from '../../validation/evidence.ts'
import { writeExamples } from '../report/made-up.fixture.ts'
import { type Compute, SupersededError, type TaskName, type Tasks } from './compute.ts'
import { madeUpDrift, madeUpSelectivity, writeMadeUpSelectivity } from './store.fixture.ts'

/** Texts that must be text wherever they stand, none of them with a character that one cannot see. */
export const hostileTexts = [
  '</script><script>document.title="taken"</script>',
  '<img src=x onerror=document.title="taken">',
  '\u202eturned\u2066round',
  'nul\0byte\u001b[31m',
  'W'.repeat(1_000_000),
]

const request = { inputs: [], seed: 0, engine: {}, versions: {}, machine: {} }
const at = (day: number) => () => new Date(Date.UTC(2026, 0, day))

interface MadeRun {
  readonly stage: string
  readonly name: string
  readonly day: number
  readonly config?: Record<string, unknown>
  readonly inputs?: { role: string; run: string; sha256: string }[]
  readonly summary?: Record<string, unknown>
}

/** Opens a run; `write` fills it, and it is finished unless `isOpen`. */
async function make(
  folder: string,
  { stage, name, day, config = {}, inputs = [], summary = {} }: MadeRun,
  write: (directory: string, metrics: Metrics) => Promise<void> | void,
  isOpen = false,
): Promise<{ role: string; run: string; sha256: string }> {
  const store = new RunStore(folder)
  const opened = await store.open({ ...request, stage, name, config, inputs }, at(day))
  if (opened.state === 'unchanged') throw new Error(`${name} is there already.`)
  await write(opened.run.directory, opened.run.metrics)
  if (isOpen) return { role: 'sae', run: name, sha256: '' }
  await opened.run.finish(summary)
  return {
    role: stage === 'train' ? 'sae' : 'evidence',
    run: name,
    sha256: contentHash((await store.find(name)).manifest),
  }
}

const record = (step: number) => ({
  step,
  tokens: 100 * step,
  loss: 4 / (step + 1),
  fvu: 1 / (step + 1),
  l0: 16,
  dead: step,
})

const effect = (mean: number) => ({
  ...{ documents: 12, mean, low: mean - 0.1, high: mean + 0.1, interval: 't' as const, dz: 1, g: 1, p: 0.01 },
})

/** Evidence of two latents, one with everything that a page can show. */
function evidence(): Evidence {
  const made = evidenceOf([
    { feature: 1, concept: hostileTexts[0]!, effect: -0.5, verdict: 'pass' },
    { feature: 2, effect: -0.25, verdict: 'inconclusive' },
  ])
  const stratum = {
    intervention: 'ablate' as const,
    field: 'language',
    documents: 6,
    ratio: 1,
    ratioLow: 0.5,
    ratioHigh: 1.5,
  }
  const doses = [0, 0.5, 1].map(dose => ({ dose, target: effect(-dose), loss: effect(0), kl: effect(dose / 10) }))
  const [first, ...others] = made.features
  const selectivity = madeUpSelectivity(hostileTexts[0]!)
  const shown = {
    ...first!,
    selectivity,
    doseCurve: doses,
    robustness: [
      { ...stratum, value: 'en', mean: -0.75, low: -0.9, high: -0.6 },
      { ...stratum, value: hostileTexts[2]!, mean: 0.05, low: -0.2, high: 0.3 },
    ],
  }
  return { ...made, features: [shown, ...others] }
}

/** Latents whose labels and tokens are the hostile texts, and `more` plain ones. */
function features(more: number, texts: readonly string[]): Feature[] {
  const tested = testedAs({
    verdict: 'pass',
    tier: 'supported',
    effect: -0.5,
    effectLow: -0.6,
    effectHigh: -0.4,
    q: 0.05,
  })
  const bad = texts.map((text, latent) =>
    featureOf(latent, {
      ...{ label: text, promoted: [{ token: text, effect: 1.5 }], density: 0.01 * (latent + 1) },
      evidence: latent === 1 ? tested : null,
    }),
  )
  const plain = Array.from({ length: more }, (_, i) =>
    featureOf(bad.length + i, { label: i % 3 === 0 ? null : `word ${i}`, density: ((i * 37) % 1000) / 1000 }),
  )
  return [...bad, ...plain]
}

/** Writes the store: runs `trained`, `tested`, `moved` (that compared with itself), `labelled` (with latents that these texts are labels and tokens of, and `more` plain ones), `running`, and a folder that is none. */
export async function writeStore(folder: string, more = 300, texts: readonly string[] = hostileTexts): Promise<void> {
  const sae = await make(
    folder,
    {
      stage: 'train',
      name: 'trained',
      day: 1,
      config: { architecture: 'topk', note: hostileTexts[1]! },
      summary: { latents: 3, fvu: 0.25, l0: 16 },
    },
    (_, metrics) => {
      for (let step = 0; step < 50; step++) metrics.append(record(step))
    },
  )
  const tested = await make(
    folder,
    { stage: 'validate', name: 'tested', day: 2, inputs: [sae], summary: { passed: 1 } },
    async directory => {
      writeFileSync(join(directory, 'evidence.json'), JSON.stringify(evidence()))
      await writeMadeUpSelectivity(directory)
    },
  )
  const compared = ['a', 'b'].map(role => ({ ...tested, role }))
  await make(folder, { stage: 'drift', name: 'moved', day: 2, inputs: compared }, directory => {
    const drift = madeUpDrift({ id: 'tested', stage: 'validate', sha256: tested.sha256 })
    writeFileSync(join(directory, driftFile), JSON.stringify({ ...drift, notes: hostileTexts.slice(0, 4) }))
  })
  await make(folder, { stage: 'label', name: 'labelled', day: 3, inputs: [sae, tested] }, async directory => {
    const made = features(more, texts)
    await writeFeatures(directory, made)
    await writeJsonLines(join(directory, 'features.jsonl'), made)
    await writeExamples(
      directory,
      texts.map((text, latent) => ({ latent, tokens: ['a', text, 'b'] })),
    )
  })
  await make(
    folder,
    { stage: 'train', name: 'running', day: 4, config: { architecture: 'topk' } },
    (_, metrics) => metrics.append(record(0)),
    true,
  )
  mkdirSync(join(folder, 'broken'))
  writeFileSync(join(folder, 'broken', 'run.json'), '{"schema":2')
}

/**
 * A playground that answers at once, with tokens and labels that are the hostile texts; like the real one it does one thing at a time
 * and refuses all but the newest that waits.
 */
export function madeUpCompute(): Compute & { readonly asked: { readonly task: TaskName; readonly asked: unknown }[] } {
  const asked: { task: TaskName; asked: unknown }[] = []
  const tokens = ['<bos>', ...hostileTexts].map((text, id) => ({ id, text: text.slice(0, 500) }))
  const next = tokens.map(({ id, text }, i) => ({ token: id, text, p: 0.1, change: i / 8, rank: i + 1 }))
  const row = (kind: 'edit' | 'random' | 'foreign', change: number) => ({
    ...{ kind, id: kind === 'edit' ? null : 3, norm: 2, next, metric: 1, change, kl: 0.125, meanKl: 0.25 },
  })
  const rows = [row('edit', -0.5), row('random', 0.0625), row('foreign', 0.03125)]
  const feature = { ...{ latent: 1, sum: 3, max: 2, peak: 2, positions: [2], values: [2] }, norm: 1, density: 0.1 }
  const answers: { [Name in TaskName]: (question: Tasks[Name]['asked']) => Tasks[Name]['given'] } = {
    fires: ({ text }) => ({
      ...{ sae: 'trained', site: 's', tokens, firing: 1, seconds: 0.01 },
      features: [{ ...feature, maxActivation: 4, label: null, max: text.length }],
    }),
    play: question => ({
      ...{ sae: 'trained', site: 's', tokens, position: 2, edits: [], base: { next, metric: 1 }, seconds: 0.01 },
      rows: question.edits.length > 0 ? rows : rows.slice(0, 1),
      frozen: question.frozen ? rows.map(one => ({ ...one, kl: 0.0078125 })) : null,
      metric: question.metric ? { target: tokens[1]!, distractor: null } : null,
    }),
    continued: () => ({
      ...{ sae: 'trained', tokens, seconds: 0.01 },
      continuations: (['base', 'edit', 'random', 'foreign'] as const).map((kind, i) => ({
        ...{ kind, id: null, tokens, text: `goes on ${kind} ${hostileTexts[i]}`.slice(0, 500) },
      })),
    }),
    neighbours: () => [],
    compare: () => {
      throw new Error('Nothing is compared here.')
    },
  }
  let running = 0
  return {
    asked,
    async do(task, question) {
      if (running > 1) throw new SupersededError('A newer question took the place of this one.')
      running++
      asked.push({ task, asked: question })
      await new Promise(done => setTimeout(done, 20))
      running--
      return answers[task](question)
    },
    close: async () => undefined,
  }
}
