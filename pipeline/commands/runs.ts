/** `pipeline runs …`: what runs there are, what they were made from, whether they are still what they were. */
import { z } from 'zod'
import { columns, duration, figure, words } from '../../core/text.ts'
import { type Ancestry, ancestry, descendants, diffRuns, verifyRun } from '../../runs/lineage.ts'
import type { FinishedRun } from '../../runs/run.ts'
import { defineCommand } from '../command.ts'
import { openStore, StoreConfig } from '../stages/common.ts'
import { hashOfInput } from '../stages/inputs.ts'
import { figuresOf } from '../stages/stage.ts'

/** Exit code of a check that found something wrong. */
const failedCode = 2

const run = z.string().describe('A run: its id, or its directory')

export const list = defineCommand({
  about: 'Lists the runs of the store, oldest first.',
  examples: ['pipeline runs list', 'pipeline runs list --stage train --json'],
  config: z.strictObject({ stage: z.string().optional().describe('Only runs of this stage'), ...StoreConfig }),
  async run(config) {
    const store = openStore(config)
    const { runs, unreadable } = await store.list()
    const chosen = runs.filter(({ manifest }) => config.stage === undefined || manifest.stage === config.stage)
    const rows = chosen.map(({ manifest }) => [
      manifest.id,
      manifest.stage,
      manifest.status,
      `${manifest.started.slice(0, 16).replace('T', ' ')}Z`,
      took(manifest),
    ])
    const lines = rows.length
      ? columns([['run', 'stage', 'status', 'started', 'took'], ...rows], [4])
      : [`There are no runs in ${store.directory}.`]
    for (const { directory, reason } of unreadable) lines.push(`unreadable: ${directory}: ${reason}`)
    const json = {
      directory: store.directory,
      runs: chosen.map(({ manifest: { id, stage, status, started, finished, key, summary } }) => ({
        ...{ id, stage, status, started, finished, key, summary },
      })),
      unreadable,
    }
    return { text: lines.join('\n'), json }
  },
})

export const show = defineCommand({
  about: "Shows a run's manifest: what it is, what it was made from, its settings, figures and files.",
  examples: ['pipeline runs show run42', 'pipeline runs show run42 --json'],
  operands: ['run'],
  config: z.strictObject({ run, ...StoreConfig }),
  async run(config) {
    const { directory, manifest } = await openStore(config).find(config.run)
    const { id, stage, status, started, seed, engine, inputs, summary, files } = manifest
    const lines = [
      ...columns([
        ['run', id],
        ['stage', stage],
        ['status', status],
        ['directory', directory],
        ['started', started],
        ['took', took(manifest)],
        ['seed', String(seed)],
        ['engine', [engine.name, engine.version, engine.precision].filter(Boolean).join(' ') || 'none'],
        ...inputs.map(input => [`input ${input.role}`, `${input.run ?? input.path} (${input.sha256.slice(0, 12)})`]),
      ]),
      ...section('Settings', leaves(manifest.config)),
      ...section('Figures', figuresOf(summary)),
      ...section(
        'Files',
        Object.entries(files).map(([name, hash]) => [name, hash.slice(0, 12)]),
      ),
    ]
    return { text: lines.join('\n'), json: { directory, ...manifest } }
  },
})

export const lineage = defineCommand({
  about: 'Shows what a run was made from, all the way back to files, and which runs were made from it.',
  examples: ['pipeline runs lineage run42'],
  operands: ['run'],
  config: z.strictObject({ run, ...StoreConfig }),
  async run(config) {
    const store = openStore(config)
    const found = await store.find(config.run)
    const tree = await ancestry(store, found)
    const after = await descendants(store, found.manifest.id)
    const lines = [`${found.manifest.id} (${found.manifest.stage})`, ...treeLines(tree, '')]
    for (const { manifest } of after) lines.push(`→ ${manifest.id} (${manifest.stage}) was made from it`)
    return {
      text: lines.join('\n'),
      json: { ...plainTree(tree), madeFromIt: after.map(({ manifest }) => manifest.id) },
    }
  },
})

export const diff = defineCommand({
  about: 'Shows where two runs differ: settings, inputs, engine, figures and files.',
  examples: ['pipeline runs diff run42 run43'],
  operands: ['run', 'other'],
  config: z.strictObject({ run, other: z.string().describe('The run to compare it with'), ...StoreConfig }),
  async run(config) {
    const store = openStore(config)
    const a = await store.find(config.run)
    const b = await store.find(config.other)
    const differences = diffRuns(a.manifest, b.manifest)
    const short = (value: unknown) =>
      typeof value === 'string' && value.length === 64 ? value.slice(0, 12) : figure(value)
    const rows = differences.map(({ key, a, b }) => [key, short(a), short(b)])
    return {
      text: rows.length
        ? columns([['', a.manifest.id, b.manifest.id], ...rows]).join('\n')
        : `${a.manifest.id} and ${b.manifest.id} differ in nothing but their times.`,
      json: { a: a.manifest.id, b: b.manifest.id, differences },
    }
  },
})

export const verify = defineCommand({
  about:
    'Holds the manifest of a run to itself, hashes its files and inputs again, and does so for every run it was made from; computes evidence again from its tables. Exit code 2 when something is not as its manifest says.',
  examples: ['pipeline runs verify run42', 'pipeline runs verify capture-7 --repair'],
  operands: ['run'],
  config: z.strictObject({
    run,
    repair: z
      .boolean()
      .default(false)
      .describe('Make shards of a capture that are missing or damaged again, to the bytes its manifest says'),
    ...StoreConfig,
  }),
  async run(config, session) {
    const store = openStore(config)
    const found = await store.find(config.run)
    let problems = [...(await verifyRun(store, found, hashOfInput))]
    const own = Object.keys(found.manifest.files)
    const damaged = problems.filter(({ run, what }) => run === found.manifest.id && own.includes(what))
    if (config.repair && damaged.length > 0) {
      const { repairRun } = await import('../stages/repair.ts')
      const files = damaged.map(({ what }) => what)
      await repairRun(found, files, session)
      session.progress.note(`Made again: ${files.join(', ')}.`)
      problems = [...(await verifyRun(store, found, hashOfInput))]
    }
    if (problems.length === 0 && found.manifest.stage === 'validate') {
      const { verifyEvidence } = await import('../../validation/recompute.ts')
      const problem = 'does not follow from its tables' as const
      const { id } = found.manifest
      for (const what of await verifyEvidence(found.directory)) problems.push({ run: id, what, problem })
    }
    const lines = problems.length
      ? problems.map(({ run, what, problem }) => `${run}: ${what}: ${problem}`)
      : [`${found.manifest.id} and all it was made from are as their manifests say.`]
    return {
      text: lines.join('\n'),
      json: { run: found.manifest.id, problems },
      exitCode: problems.length ? failedCode : 0,
    }
  },
})

function took({ started, finished }: FinishedRun['manifest']): string {
  return finished === null ? '–' : duration((Date.parse(finished) - Date.parse(started)) / 1000)
}

function section(title: string, rows: readonly (readonly [string, unknown])[]): string[] {
  return rows.length ? ['', title, ...columns(rows.map(([key, value]) => [`  ${words(key)}`, figure(value)]))] : []
}

function leaves(value: Readonly<Record<string, unknown>>, prefix = ''): [string, unknown][] {
  return Object.entries(value).flatMap(([key, part]) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? leaves(part as Record<string, unknown>, `${prefix}${key}.`)
      : [[prefix + key, part] as [string, unknown]],
  )
}

/** A run that was shown already is named without what it was made from. */
function treeLines(tree: Ancestry, indent: string, seen = new Set<string>()): string[] {
  return tree.inputs.flatMap(({ input, from, circle }, i) => {
    const last = i === tree.inputs.length - 1
    const name = input.run ?? input.path ?? '?'
    const again = from !== undefined && seen.has(from.run.directory)
    const end = circle
      ? ' (a circle: damaged)'
      : again
        ? ' (as above)'
        : from
          ? ` (${from.run.manifest.stage})`
          : input.run
            ? ' (gone)'
            : ''
    const line = `${indent}${last ? '└─' : '├─'} ${input.role}: ${name}${end}`
    if (!from || again) return [line]
    seen.add(from.run.directory)
    return [line, ...treeLines(from, `${indent}${last ? '   ' : '│  '}`, seen)]
  })
}

function plainTree(tree: Ancestry): object {
  return {
    run: tree.run.manifest.id,
    stage: tree.run.manifest.stage,
    inputs: tree.inputs.map(({ input, from, circle }) => ({
      ...input,
      ...(circle ? { circle } : {}),
      ...(from ? { from: plainTree(from) } : {}),
    })),
  }
}
