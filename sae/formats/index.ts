/** Opening an SAE of any known library: which format a directory holds, and the SAE in it. */
import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UserError } from '../../core/errors.ts'
import { readError } from '../../core/files.ts'
import { hashPath } from '../../core/hash.ts'
import { tf } from '../../engine/tf.ts'
import { makeSae } from '../make.ts'
import type { Sae, SaeMetadata } from '../sae.ts'
import { readDictionaryLearning } from './dictionary-learning.ts'
import { readGemmaScope } from './gemma-scope.ts'
import type { Imported } from './parts.ts'
import { loadSae } from './saelens.ts'
import { readSparsify } from './sparsify.ts'

/** The file by which each format is known. */
const marks = {
  saelens: 'sae_weights.safetensors',
  dictionary_learning: 'ae.pt',
  sparsify: 'sae.safetensors',
  'gemma-scope': 'params.npz',
} as const

export type SaeFormat = keyof typeof marks
export const saeFormats = Object.keys(marks) as [SaeFormat, ...SaeFormat[]]

/** Folders below the given one that are searched. */
const depth = 4

/** Where an SAE lies in or below `path`, and in which format. A `UserError` where there is none or more than one. */
export async function findSae(path: string): Promise<{ directory: string; format: SaeFormat }> {
  const info = await stat(path).catch(error => {
    throw readError(path, 'SAE', error)
  })
  const root = info.isDirectory() ? path : dirname(path)
  const found: { directory: string; format: SaeFormat }[] = []
  const walk = async (folder: string, left: number) => {
    const entries = await readdir(folder, { withFileTypes: true })
    const here: SaeFormat[] = []
    // Download caches keep links to files; what else has the name is refused when it is read.
    for (const format of saeFormats)
      for (const entry of entries) if (entry.name === marks[format] && !entry.isDirectory()) here.push(format)
    if (here.length > 0) for (const format of here) found.push({ directory: folder, format })
    else if (left > 0)
      for (const entry of entries) if (entry.isDirectory()) await walk(join(folder, entry.name), left - 1)
  }
  await walk(root, depth)
  if (found.length === 1) return found[0]!
  throw new UserError(
    found.length === 0
      ? `There is no SAE in ${path}: none of ${Object.values(marks).join(', ')} is there.`
      : `${path} holds ${found.length} SAEs: ${found
          .slice(0, 4)
          .map(({ directory }) => directory)
          .join(', ')}.`,
    { fix: found.length === 0 ? 'Name the directory the library saved it in.' : 'Name one of them.' },
  )
}

/** Opens an SAE of any known format; `metadata` adds to or replaces what the files say of where it belongs. */
export async function openSae(path: string, metadata: Partial<SaeMetadata> = {}): Promise<Sae> {
  const { directory, format } = await findSae(path)
  if (format === 'saelens') return withMetadata(await loadSae(directory), metadata)
  const imported = await readers[format](directory)
  const params = Object.fromEntries(
    Object.entries(imported.params).map(([name, { shape, data }]) => [name, tf.tensor(data, shape)]),
  )
  try {
    return makeSae({
      ...imported,
      params,
      metadata: { ...imported.metadata, ...metadata } as SaeMetadata,
      hash: await hashPath(format === 'gemma-scope' ? join(directory, marks[format]) : directory),
    })
  } catch (error) {
    tf.dispose(Object.values(params))
    throw error
  }
}

function withMetadata(sae: Sae, metadata: Partial<SaeMetadata>): Sae {
  return Object.keys(metadata).length === 0
    ? sae
    : { ...sae, metadata: { ...sae.metadata, ...metadata } as SaeMetadata }
}

const readers: Record<Exclude<SaeFormat, 'saelens'>, (directory: string) => Promise<Imported>> = {
  dictionary_learning: readDictionaryLearning,
  sparsify: readSparsify,
  'gemma-scope': directory => readGemmaScope(join(directory, marks['gemma-scope'])),
}
