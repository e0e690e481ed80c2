/** Exporting an SAE to any known format: one writer each. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { makeNewFolder } from '../../../core/new-folder.ts'
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
  await makeNewFolder(to, 'the SAE', folder => writers[format](folder, sae))
  const names = await readdir(to, { recursive: true })
  const files = await Promise.all(names.map(async name => ((await stat(join(to, name))).isFile() ? [name] : [])))
  return files.flat().sort()
}
