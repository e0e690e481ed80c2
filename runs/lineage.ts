/** The graph of manifests: what a run was made from, what was made from it, and whether all of it still holds. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../core/errors.ts'
import { hashPath, sha256File } from '../core/hash.ts'
import { filesOf, readRunManifest } from './folder.ts'
import { contentHash } from './key.ts'
import type { FinishedRun } from './open-run.ts'
import type { RunInput, RunManifest } from './run.ts'
import type { RunStore } from './store.ts'

/** A run and, below it, what it was made from. */
export interface Ancestry {
  readonly run: FinishedRun
  readonly inputs: readonly { readonly input: RunInput; readonly from: Ancestry | undefined }[]
}

/** Something that no longer is as a manifest says. */
export interface Problem {
  readonly run: string
  /** The file's or input's name. */
  readonly what: string
  readonly problem: 'changed' | 'missing' | 'not in the manifest' | 'unfinished' | 'does not follow from its tables'
}

/** The run that an input names: where it was when recorded, or under its id in the store. */
async function runOfInput(store: RunStore, input: RunInput): Promise<FinishedRun | undefined> {
  if (input.run === undefined) return undefined
  for (const directory of [join(store.directory, input.run), input.path]) {
    const manifest = directory && (await readRunManifest(directory))
    if (directory && manifest) return { directory, manifest }
  }
  return undefined
}

/** What the run was made from, all the way back. */
export async function ancestry(store: RunStore, run: FinishedRun): Promise<Ancestry> {
  const inputs = []
  for (const input of run.manifest.inputs) {
    const parent = await runOfInput(store, input)
    inputs.push({ input, from: parent && (await ancestry(store, parent)) })
  }
  return { run, inputs }
}

/** The run's input of this role, looked for in its own manifest, then in its parents'. */
export async function inherited(
  store: RunStore,
  run: FinishedRun,
  role: string,
): Promise<{ readonly input: RunInput; readonly config: unknown } | undefined> {
  const input = run.manifest.inputs.find(input => input.role === role)
  if (input) return { input, config: run.manifest.config[role] }
  for (const parent of run.manifest.inputs) {
    const from = await runOfInput(store, parent)
    const found = from && (await inherited(store, from, role))
    if (found) return found
  }
  return undefined
}

/** The run that was the run's input of this role, directly or further back. */
export async function inheritedRun(store: RunStore, run: FinishedRun, role: string): Promise<FinishedRun | undefined> {
  const found = await inherited(store, run, role)
  return found && runOfInput(store, found.input)
}

/** Runs of the store that were made from this one, directly. */
export async function descendants(store: RunStore, id: string): Promise<FinishedRun[]> {
  const { runs } = await store.list()
  return runs.filter(run => run.manifest.inputs.some(input => input.run === id))
}

/**
 * Hashes a run's files and inputs again, and those of every run it was made from. `hashInput` gives the present hash
 * of an input that is not a run, or undefined where it is gone.
 */
export async function verifyRun(
  store: RunStore,
  run: FinishedRun,
  hashInput: (input: RunInput) => Promise<string | undefined> = hashOfPath,
  seen = new Set<string>(),
): Promise<Problem[]> {
  if (seen.has(run.directory)) return []
  seen.add(run.directory)
  const { id, files, inputs, status } = run.manifest
  const problems: Problem[] = []
  const report = (what: string, problem: Problem['problem']) => problems.push({ run: id, what, problem })

  if (status !== 'finished') report('run.json', 'unfinished')
  else {
    const present = new Set(await filesOf(run.directory))
    for (const [name, hash] of Object.entries(files)) {
      if (!present.has(name)) report(name, 'missing')
      else if ((await sha256File(join(run.directory, name))) !== hash) report(name, 'changed')
      present.delete(name)
    }
    for (const name of present) report(name, 'not in the manifest')
  }
  for (const input of inputs) {
    const parent = await runOfInput(store, input)
    if (parent) {
      if (contentHash(parent.manifest) !== input.sha256) report(`${input.role} ${input.run}`, 'changed')
      problems.push(...(await verifyRun(store, parent, hashInput, seen)))
    } else {
      const hash = input.run === undefined ? await hashInput(input) : undefined
      if (hash === undefined) report(`${input.role} ${input.run ?? input.path}`, 'missing')
      else if (hash !== input.sha256) report(`${input.role} ${input.path}`, 'changed')
    }
  }
  return problems
}

async function hashOfPath(input: RunInput): Promise<string | undefined> {
  if (input.path === undefined) return undefined
  try {
    await stat(input.path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  return hashPath(input.path)
}

/** One place where two runs differ; `undefined` where a side has nothing. */
export interface Difference {
  readonly key: string
  readonly a: unknown
  readonly b: unknown
}

/** Where two manifests differ in what matters: stage, seed, engine, versions, config, inputs, figures and files. */
export function diffRuns(a: RunManifest, b: RunManifest): Difference[] {
  const flat = (manifest: RunManifest) => {
    const { stage, seed, engine, versions, config, summary, files } = manifest
    const inputs = Object.fromEntries(manifest.inputs.map(({ role, sha256 }) => [role, sha256]))
    return flatten({ stage, seed, engine, versions, config, inputs, summary, files })
  }
  const left = flat(a)
  const right = flat(b)
  return [...new Set([...left.keys(), ...right.keys()])]
    .filter(key => left.get(key) !== right.get(key))
    .map(key => ({ key, a: left.get(key), b: right.get(key) }))
}

/** Leaves of nested objects by dotted key; lists count as leaves. File names keep their dots, as the last part. */
function flatten(value: object, prefix = '', into = new Map<string, unknown>()): Map<string, unknown> {
  for (const [key, part] of Object.entries(value)) {
    if (part !== null && typeof part === 'object' && !Array.isArray(part)) flatten(part, `${prefix}${key}.`, into)
    else into.set(prefix + key, Array.isArray(part) ? JSON.stringify(part) : part)
  }
  return into
}
