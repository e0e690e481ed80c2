/** What a stage works on: models, datasets and runs, found by name and hashed by content. */
import { access, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { codeOf, InterruptedError, UserError } from '../../core/errors.ts'
import { hashPath, hashValue } from '../../core/hash.ts'
import type { Progress } from '../../core/progress.ts'
import type { DatasetConfig } from '../../datasets/config.ts'
import type { TokenDataset } from '../../datasets/document.ts'
import type { Tokenizer } from '../../datasets/tokenizer/index.ts'
import type { Model } from '../../model/model.ts'
import { readRunManifest } from '../../runs/folder.ts'
import type { FinishedRun, RunInput } from '../../runs/run.ts'
import type { RunStore } from '../../runs/store.ts'
import { type Found, hashed, runAsInput } from './found.ts'
import { mustBeAsHashed } from './reading.ts'
import type { Session } from './session.ts'

/** The name under which the project's own model and language are found. */
export const builtIn = 'toyworld'

/** Roles of the inputs that are text. */
const datasetRoles = ['dataset', 'fidelityDataset', 'outOfDistributionDataset']

/** A model directory, or the built-in one. */
export async function findModel(reference: string): Promise<Found> {
  if (reference === builtIn) {
    const { toyworldModelDirectory } = await import('../../datasets/toyworld/index.ts')
    const directory = toyworldModelDirectory()
    return hashed('model', directory, builtIn)
  }
  const directory = resolve(reference)
  await mustExist(join(directory, 'config.json'), `There is no model at ${directory}: it has no config.json.`, {
    fix: `Name a Hugging Face model directory, or '${builtIn}' for the built-in model.`,
  })
  return hashed('model', directory)
}

/** The source of a dataset: a file, a folder, or the built-in language. */
export async function findDataset(path: string): Promise<Found> {
  if (path === builtIn) return { directory: builtIn, input: { role: 'dataset', path, sha256: await hashToyworld() } }
  const directory = resolve(path)
  await mustExist(directory, `There is no dataset at ${directory}.`, {
    fix: `Name a .txt or .jsonl file, a folder of them, or '${builtIn}' for the built-in language.`,
  })
  const { hashSource } = await import('../../datasets/sources/files.ts')
  return hashed('dataset', directory, directory, hashSource)
}

/** A file that is an input of the given role. */
export async function findFile(role: string, path: string): Promise<Found> {
  const file = resolve(path)
  await mustExist(file, `There is no file at ${file}.`, { fix: 'Check the path.' })
  return hashed(role, file)
}

/** The finished run of one of the stages, by id or directory. */
export async function findRun(
  store: RunStore,
  reference: string,
  role: string,
  stages: readonly string[],
): Promise<Found & { run: FinishedRun }> {
  return runAsInput(await store.finished(reference, stages), role)
}

/** An SAE: a run that trained or imported one, or a directory in SAELens's layout. */
export async function findSae(store: RunStore, reference: string): Promise<Found> {
  const path = resolve(reference)
  if ((await exists(join(path, 'cfg.json'))) && !(await readRunManifest(path))) return hashed('sae', path)
  return findRun(store, reference, 'sae', ['train', 'import'])
}

/** What messages call the inputs of a run, by role. */
export function namesOf(inputs: readonly RunInput[]): Record<string, string> {
  return Object.fromEntries(inputs.map(input => [input.role, input.run ?? input.path ?? input.role]))
}

/**
 * Loads a model with its tokenizer and a dataset tokenised by it. The caller disposes the model. `check` may refuse the model before any
 * text is tokenised, which takes long.
 */
export async function loadModelAndText(
  model: Found,
  text: Found & { readonly config: DatasetConfig },
  { progress, signal, check }: { progress: Progress; signal: AbortSignal; check?: (model: Model) => void },
): Promise<{ model: Model; tokenizer: Tokenizer; dataset: TokenDataset }> {
  const { loadModel } = await import('../../model/load.ts')
  const { checkTokenizer } = await import('../../model/tokenizer.ts')
  const { loadTokenizer } = await import('../../datasets/tokenizer/index.ts')
  const tokenizer = await loadTokenizer(model.directory, { threads: text.config.tokenizerThreads })
  const loaded = await loadModel(model.directory)
  try {
    checkTokenizer(loaded, tokenizer)
    check?.(loaded)
    const dataset = await loadText(text, { model: loaded, tokenizer }, { progress, signal })
    await mustBeAsHashed(model)
    return { model: loaded, tokenizer, dataset }
  } catch (error) {
    loaded.dispose()
    throw error
  }
}

/** Opens more text for a model that is loaded, tokenised by its tokenizer. */
export async function loadText(
  text: Found & { readonly config: DatasetConfig },
  { model, tokenizer }: { readonly model: Model; readonly tokenizer: Tokenizer },
  { progress, signal }: { progress: Progress; signal: AbortSignal },
): Promise<TokenDataset> {
  const { openDataset } = await import('../../datasets/dataset.ts')
  const { context, bosToken, eosToken } = model.config
  const dataset = await openDataset(text.config, tokenizer, { context, bosToken, eosToken, progress, signal })
  await mustBeAsHashed(text)
  return dataset
}

/** What an input that is not a run hashes to now, or undefined where it is gone. */
export async function hashOfInput(input: RunInput): Promise<string | undefined> {
  if (input.path === undefined) return undefined
  if (input.path === builtIn) return (await (input.role === 'model' ? findModel : findDataset)(builtIn)).input.sha256
  if (!(await exists(input.path))) return undefined
  return datasetRoles.includes(input.role) ? (await findDataset(input.path)).input.sha256 : hashPath(input.path)
}

/**
 * Says that a stage waits for its inputs to be hashed, where that takes long. An `InterruptedError` as soon as the signal is aborted: the
 * hashing goes on as long as the process does, and changes nothing.
 */
export async function hashing<T>({ progress, signal }: Session, work: () => Promise<T>): Promise<T> {
  let stop = () => {}
  const stopped = new Promise<never>((_, fail) => {
    stop = () =>
      fail(new InterruptedError('Hashing the inputs was interrupted.', { fix: 'Start the same command again.' }))
  })
  signal.addEventListener('abort', stop)
  if (signal.aborted) stop()
  try {
    return await Promise.race([telling(progress, 'Hashing the inputs …', work), stopped])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Says what is done where that takes longer than two seconds. */
export async function telling<T>(progress: Progress, line: string, work: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => progress.note(line), 2000)
  try {
    return await work()
  } finally {
    clearTimeout(timer)
  }
}

/** The built-in language has no file: a sample of what it generates stands for it. */
async function hashToyworld(): Promise<string> {
  const { toyworldDocuments } = await import('../../datasets/toyworld/index.ts')
  const documents = toyworldDocuments({ seed: 0, documents: 200 })
  return hashValue(documents.map(({ tokens, ...rest }) => ({ ...rest, tokens: tokens && Array.from(tokens) })))
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false
  }
}

async function mustExist(path: string, message: string, options: { fix: string }): Promise<void> {
  try {
    await stat(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') throw new UserError(message, options)
    throw error
  }
}
