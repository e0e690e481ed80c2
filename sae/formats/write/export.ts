/** Exporting an SAE to any known format: one writer each. */
import { randomUUID } from 'node:crypto'
import { lstat, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UserError } from '../../../core/errors.ts'
import { makeFolder, partialEnding, writeError } from '../../../core/files.ts'
import type { SaeFormat } from '../index.ts'
import type { Portable } from './portable.ts'
import { writeDictionaryLearning } from './to-dictionary-learning.ts'
import { writeGemmaScope } from './to-gemma-scope.ts'
import { writeSaelens } from './to-saelens.ts'
import { writeSparsify } from './to-sparsify.ts'

const writers: Record<SaeFormat, (directory: string, sae: Portable) => Promise<void>> = {
  saelens: writeSaelens,
  dictionary_learning: writeDictionaryLearning,
  sparsify: writeSparsify,
  'gemma-scope': writeGemmaScope,
}

/**
 * Writes an SAE into a directory that must not exist yet, or be empty; gives the files' paths below it. The directory is
 * there with all its files or not at all, and equal SAEs give equal bytes. A `UserError` says what a format cannot hold.
 */
export async function exportSae(to: string, sae: Portable, format: SaeFormat): Promise<string[]> {
  if (
    await lstat(to).then(
      info => info.isSymbolicLink(),
      () => false,
    )
  )
    throw new UserError(`${to} is a link, but the SAE becomes a new directory.`, {
      fix: 'Name a directory that does not exist yet.',
    })
  const before = await readdir(to).catch(error => (error.code === 'ENOTDIR' ? [to] : []))
  if (before.length > 0)
    throw new UserError(`${to} is not empty.`, { fix: 'Name a directory that does not exist yet.' })
  const partial = `${to}.${randomUUID()}${partialEnding}`
  try {
    await makeFolder(dirname(to))
    await mkdir(partial)
    await writers[format](partial, sae)
    await rename(partial, to)
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw writeError(to, error)
  }
  const names = await readdir(to, { recursive: true })
  const files = await Promise.all(names.map(async name => ((await stat(join(to, name))).isFile() ? [name] : [])))
  return files.flat().sort()
}
