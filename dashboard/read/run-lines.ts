/** Runs as lines of a list: what their manifests say first, and as columns that conditions can ask about. */
import type { z } from 'zod'
import { hashValue } from '../../core/hash.ts'
import type { RunManifest } from '../../runs/run.ts'
import type { RunLine } from '../api/contracts/runs.ts'
import type { FilterColumn } from './filter.ts'
import { redacted } from './redact.ts'
import type { Selectable } from './select.ts'

type Line = z.output<typeof RunLine>

/** Manifests of runs by their ids. */
export const byId = (runs: readonly { readonly manifest: RunManifest }[]): ReadonlyMap<string, RunManifest> =>
  new Map(runs.map(({ manifest }) => [manifest.id, manifest]))

/** A run's line; a train run that names no site has the only one of the capture that it learned from, if that is among `others`, and the model. */
export function runLine(manifest: RunManifest, others: ReadonlyMap<string, RunManifest> = new Map()): Line {
  const { id, stage, status, started, finished, seed, summary, config, inputs } = manifest
  const captured = inputs.flatMap(({ role, run }) => (role === 'capture' && run ? (others.get(run) ?? []) : []))
  const only = captured.length === 1 && Array.isArray(captured[0]!.config.sites) ? captured[0]!.config.sites : []
  const own = config.site ?? config.hook ?? (stage === 'train' && only.length === 1 ? only[0] : undefined)
  const sites = Array.isArray(config.sites) ? config.sites : [own]
  const modelOf = (run: Pick<RunManifest, 'inputs' | 'config'>) =>
    run.inputs.find(({ role }) => role === 'model')?.path ?? run.config.model
  const learnedFrom = stage === 'train' && captured.length === 1 ? modelOf(captured[0]!) : undefined
  const model = modelOf(manifest) ?? learnedFrom
  const latents = summary.latents ?? config.latents
  const { seed: _, ...settings } = config
  const made = inputs.map(({ role, sha256 }) => [role, sha256])
  return redacted({
    ...{ id, stage, status, started, finished, seed, summary },
    site: sites.every(site => typeof site === 'string') ? sites.join(', ') : null,
    model: typeof model === 'string' ? model : null,
    architecture: typeof config.architecture === 'string' ? config.architecture : null,
    latents: typeof latents === 'number' && Number.isInteger(latents) ? latents : null,
    settings: hashValue([stage, settings, made]).slice(0, 16),
  })
}

/** Lines as a table: their own columns, `seconds` for how long they took, and every figure by its name. */
export function runTable(lines: readonly Line[]): Selectable {
  const cells = lines.map(
    ({ summary, ...line }): Readonly<Record<string, unknown>> => ({
      ...summary,
      ...line,
      seconds: line.finished === null ? null : (Date.parse(line.finished) - Date.parse(line.started)) / 1000,
    }),
  )
  const own = [
    'id',
    'stage',
    'status',
    'started',
    'finished',
    'seed',
    'site',
    'model',
    'architecture',
    'latents',
    'seconds',
  ]
  const names = [...new Set([...own, ...cells.flatMap(Object.keys)])]
  return {
    rows: lines.length,
    names,
    orders: new Map(),
    column(name): FilterColumn {
      const values = cells.map(cell => cell[name] ?? null)
      if (values.every(value => value === null || typeof value === 'number') && values.some(value => value !== null))
        return { kind: 'number', values: Float64Array.from(values, value => (value as number | null) ?? Number.NaN) }
      return { kind: 'text', text: row => (values[row] === null ? null : textOf(values[row])) }
    },
  }
}

const textOf = (value: unknown) => (typeof value === 'object' ? JSON.stringify(value) : String(value))
