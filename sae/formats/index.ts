/** Opening an SAE of any known library: which layout a directory holds, and the SAE in it. */
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { UserError } from '../../core/errors.ts'
import { readError } from '../../core/files.ts'
import { hashPath } from '../../core/hash.ts'
import { tf } from '../../engine/tf.ts'
import { makeSae } from '../make.ts'
import type { Sae, SaeMetadata } from '../sae.ts'
import { mustBeFinite } from './files/said.ts'
import { circuitTracer, circuitTracerClt } from './layouts/circuit-tracer.ts'
import { crosscoder } from './layouts/crosscoder.ts'
import { dictionaryLearning } from './layouts/dictionary-learning.ts'
import { gemmaScope } from './layouts/gemma-scope.ts'
import { gemmaScope2 } from './layouts/gemma-scope-2.ts'
import { gemmaScope2Clt } from './layouts/gemma-scope-2-clt.ts'
import type { Layout } from './layouts/layout.ts'
import { llamaScope } from './layouts/llama-scope.ts'
import { openai } from './layouts/openai.ts'
import { sparsify } from './layouts/sparsify.ts'
import { isSaelens, loadSae } from './saelens.ts'

/** The layouts that are read besides SAELens's, which is our own. */
const layouts: readonly Layout[] = [
  dictionaryLearning,
  sparsify,
  gemmaScope,
  gemmaScope2,
  gemmaScope2Clt,
  llamaScope,
  openai,
  crosscoder,
  circuitTracer,
  circuitTracerClt,
]

/** The formats that are written as well as read. */
export const saeFormats = ['saelens', 'dictionary_learning', 'sparsify', 'gemma-scope'] as const
export type SaeFormat = (typeof saeFormats)[number]

/** Folders below the given one that are searched. */
const depth = 4

/** Where an SAE lies. */
export interface FoundSae {
  /** The layout's name. */
  readonly format: string
  /** The folder of its files, and the main one of them. */
  readonly directory: string
  readonly file: string
  /** The file or folder that holds all of it and, but for what lies beside it there, nothing else. */
  readonly source: string
}

/**
 * The SAE in or below `path`, or the one whose main file it is. A `UserError` where there is none or more than one.
 */
export async function findSaeFiles(path: string): Promise<FoundSae> {
  const info = await stat(path).catch(error => {
    throw readError(path, 'SAE', error)
  })
  const inFolder = (folder: string, names: readonly string[]): FoundSae[] => [
    ...saelensIn(folder, names),
    ...layouts.flatMap(({ name, find, alone }) =>
      find(names).map(file => ({
        format: name,
        directory: folder,
        file: join(folder, file),
        source: alone ? join(folder, file) : folder,
      })),
    ),
  ]
  const walk = async (folder: string, left: number): Promise<FoundSae[]> => {
    const entries = await readdir(folder, { withFileTypes: true })
    // Download caches keep links to files; what else has the name is refused when it is read.
    const here = inFolder(
      folder,
      entries.filter(entry => !entry.isDirectory()).map(({ name }) => name),
    )
    if (here.length > 0 || left === 0) return here
    const below: FoundSae[] = []
    for (const entry of entries)
      if (entry.isDirectory()) below.push(...(await walk(join(folder, entry.name), left - 1)))
    return below
  }
  const beside = async () => inFolder(dirname(path), await readdir(dirname(path)))
  const found = info.isDirectory() ? await walk(path, depth) : await beside()
  const named = info.isDirectory() ? found : found.filter(({ file }) => basename(file) === basename(path))
  const chosen = named.length > 0 ? named : found
  if (chosen.length === 1) return chosen[0]!
  const shown = chosen.slice(0, 4).map(({ directory, file, source }) => (source === file ? file : directory))
  throw chosen.length === 0
    ? new UserError(`There is no SAE in ${path}: no file there is of a layout that is known.`, {
        fix: `Known are ${knownFiles.join('; ')}.`,
      })
    : new UserError(`${path} holds ${chosen.length} SAEs: ${shown.join(', ')}${chosen.length > 4 ? ' …' : ''}.`, {
        fix: 'Name one of them.',
      })
}

/** The files by which layouts are known, for those who look for theirs. */
const knownFiles = [
  'sae_weights.safetensors with cfg.json (SAELens)',
  'ae.pt with config.json (dictionary_learning)',
  'sae.safetensors with cfg.json (sparsify)',
  'params.npz (Gemma Scope)',
  'params.safetensors, or params_layer_0.safetensors and so on, with config.json (Gemma Scope 2)',
  'hyperparams.json with checkpoints/final.safetensors (Llama Scope)',
  'autoencoder.pt or 0.pt (OpenAI)',
  'cc_weights.pt with cfg.json (crosscoders)',
  'layer_0.safetensors, or W_enc_0.safetensors with W_dec_0.safetensors and so on (circuit-tracer)',
]

function saelensIn(directory: string, names: readonly string[]): FoundSae[] {
  const file = isSaelens(names)
  return file === undefined ? [] : [{ format: 'saelens', directory, file: join(directory, file), source: directory }]
}

/** Opens an SAE of any known layout; `metadata` adds to or replaces what the files say of where it belongs. */
export async function openSae(path: string, metadata: Partial<SaeMetadata> = {}): Promise<Sae> {
  const { directory, file, source, format } = await findSaeFiles(path)
  const layout = layouts.find(({ name }) => name === format)
  if (!layout) return withMetadata(await loadSae(directory), metadata)
  const { notices, ...imported } = await layout.read(file)
  const origin = imported.metadata.imported_from as object
  for (const [name, { data }] of Object.entries(imported.params)) mustBeFinite(name, data, file)
  const params = Object.fromEntries(
    Object.entries(imported.params).map(([name, { shape, data }]) => [name, tf.tensor(data, shape)]),
  )
  try {
    return makeSae({
      ...imported,
      params,
      metadata: {
        ...imported.metadata,
        ...(notices ? { imported_from: { ...origin, notices } } : {}),
        ...metadata,
      } as SaeMetadata,
      hash: await hashPath(source),
    })
  } catch (error) {
    tf.dispose(Object.values(params))
    throw error
  }
}

/** What the user should know of how an SAE's files were read, a sentence each. */
export function noticesOf({ metadata }: Pick<Sae, 'metadata'>): readonly string[] {
  const { notices } = (metadata.imported_from ?? {}) as { notices?: unknown }
  return Array.isArray(notices) ? notices.map(String) : []
}

function withMetadata(sae: Sae, metadata: Partial<SaeMetadata>): Sae {
  return Object.keys(metadata).length === 0
    ? sae
    : { ...sae, metadata: { ...sae.metadata, ...metadata } as SaeMetadata }
}
