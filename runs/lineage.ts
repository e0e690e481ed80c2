/** The graph of manifests: what a run was made from, what was made from it, and whether all of it still holds. */
import { lstat, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, UserError } from '../core/errors.ts'
import { hashPath } from '../core/hash.ts'
import { manifestName } from '../core/stage.ts'
import { entriesOf, readRunManifest } from './folder.ts'
import { problemOf } from './read.ts'
import type { FinishedRun, RunInput, RunManifest } from './run.ts'
import { contentHash, flawsOf, mustBeSealed } from './seal.ts'
import type { RunStore } from './store.ts'

/** A run and, below it, what it was made from. */
export interface Ancestry {
  readonly run: FinishedRun
  readonly inputs: readonly {
    readonly input: RunInput
    readonly from: Ancestry | undefined
    /** The input is this run itself or one that it is an input of, which no sound run has. */
    readonly circle?: true
  }[]
}

/** Something that no longer is as a manifest says. */
export interface Problem {
  readonly run: string
  /** The file's or input's name. */
  readonly what: string
  readonly problem: string
}

/** The run that an input names: where it was when recorded, or under its id in the store, or in the place that it shares. */
async function runOfInput(store: RunStore, input: RunInput): Promise<FinishedRun | undefined> {
  if (input.run === undefined) return undefined
  for (const directory of [join(store.directory, input.run), input.path]) {
    const manifest = directory && (await readRunManifest(directory))
    if (directory && manifest) return { directory, manifest }
  }
  return store.take(input.run)
}

/** The same, as it was when it was recorded; a `UserError` where it is another by now. */
async function unchangedRunOfInput(
  store: RunStore,
  of: FinishedRun,
  input: RunInput,
): Promise<FinishedRun | undefined> {
  const run = await runOfInput(store, input)
  if (!run) return undefined
  if (run.directory === of.directory) throw changed(run, of)
  if (run.manifest.status === 'finished') mustBeSealed(run)
  if (contentHash(run.manifest) !== input.sha256) throw changed(run, of)
  return run
}

function changed(run: FinishedRun, of: FinishedRun): UserError {
  return new UserError(`The run ${run.manifest.id} has changed since ${of.manifest.id} was made from it.`, {
    fix: `Put the old one back, or make ${of.manifest.id} again from what it is now.`,
  })
}

/** What the run was made from, all the way back; a run that is met again, in a circle, is not followed. */
export async function ancestry(store: RunStore, run: FinishedRun): Promise<Ancestry> {
  const known = new Map<string, Ancestry>()
  const below = new Set<string>()
  const follow = async (run: FinishedRun): Promise<Ancestry> => {
    const before = known.get(run.directory)
    if (before) return before
    below.add(run.directory)
    const inputs: Ancestry['inputs'][number][] = []
    for (const input of run.manifest.inputs) {
      const parent = await runOfInput(store, input)
      if (parent && below.has(parent.directory)) inputs.push({ input, from: undefined, circle: true })
      else inputs.push({ input, from: parent && (await follow(parent)) })
    }
    below.delete(run.directory)
    const found = { run, inputs }
    known.set(run.directory, found)
    return found
  }
  return follow(run)
}

/**
 * The run's input of this role, looked for in its own manifest, then in its parents'. A parent that is another by now than
 * when the run was made from it is a `UserError`.
 */
export async function inherited(
  store: RunStore,
  run: FinishedRun,
  role: string,
): Promise<{ readonly of: FinishedRun; readonly input: RunInput; readonly config: unknown } | undefined> {
  const input = run.manifest.inputs.find(input => input.role === role)
  if (input) return { of: run, input, config: run.manifest.config[role] }
  for (const parent of run.manifest.inputs) {
    const from = await unchangedRunOfInput(store, run, parent)
    const found = from && (await inherited(store, from, role))
    if (found) return found
  }
  return undefined
}

/** The run that was the run's input of this role, directly or further back. */
export async function inheritedRun(store: RunStore, run: FinishedRun, role: string): Promise<FinishedRun | undefined> {
  const found = await inherited(store, run, role)
  return found && unchangedRunOfInput(store, found.of, found.input)
}

/** Ids of the runs that this one was made from, directly or further back, and that are not there any more. */
export async function missingAncestors(store: RunStore, run: FinishedRun): Promise<string[]> {
  const gone = new Set<string>()
  const follow = ({ inputs }: Ancestry) => {
    for (const { input, from, circle } of inputs) {
      if (from) follow(from)
      else if (input.run !== undefined && !circle) gone.add(input.run)
    }
  }
  follow(await ancestry(store, run))
  return [...gone]
}

/** Runs of the store that were made from this one, directly. */
export async function descendants(store: RunStore, id: string): Promise<FinishedRun[]> {
  const { runs } = await store.list()
  return runs.filter(run => run.manifest.inputs.some(input => input.run === id))
}

/**
 * Checks a run's manifest, hashes its files and inputs again, and does so for every run it was made from. `hashInput` gives the present hash
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
  const report = (what: string, problem: string) => problems.push({ run: id, what, problem })

  if (!(await lstat(join(run.directory, manifestName))).isFile()) report(manifestName, 'not a plain file')
  if (status !== 'finished') report(manifestName, 'unfinished')
  else {
    for (const { what, problem } of flawsOf(run)) report(what, problem)
    for (const [name, hash] of Object.entries(files)) {
      const problem = await problemOf(join(run.directory, name), hash)
      if (problem) report(name, problem)
    }
    for (const { name } of await entriesOf(run.directory))
      if (!Object.hasOwn(files, name)) report(name, 'not in the manifest')
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
