/** Where documents come from: files, folders, and the built-in datasets by name. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { UserError } from '../../core/errors.ts'
import { readError } from '../../core/files.ts'
import type { DatasetConfig } from '../config.ts'
import type { Document } from '../document.ts'
import { jsonlDocuments } from './jsonl.ts'
import { decodeUtf8, textDocuments } from './text.ts'

type BuiltIn = (options: { seed: number; documents: number }) => Promise<Document[]>

/** Datasets the project makes itself, by the name that stands in `path`. */
const builtIn: Readonly<Record<string, BuiltIn>> = {
  toyworld: async options => (await import('../toyworld/index.ts')).toyworldDocuments(options),
}

/** Documents a built-in dataset makes when the config does not say. */
export const builtInDocuments = 4000

const textEndings = ['.txt', '.text', '.md']
const jsonlEndings = ['.jsonl', '.ndjson']

/**
 * Every document of a dataset, in its order. Throws a `UserError` when there are none, when two have one id, and for
 * whatever is wrong with a file.
 */
export async function readDocuments(config: DatasetConfig): Promise<Document[]> {
  const limit = config.documents ?? Number.POSITIVE_INFINITY
  const make = Object.hasOwn(builtIn, config.path) ? builtIn[config.path] : undefined
  const documents: Document[] = []
  if (make) documents.push(...(await make({ seed: config.seed, documents: config.documents ?? builtInDocuments })))
  else
    for (const file of await listFiles(config.path)) {
      if (documents.length >= limit) break
      for (const document of await fileDocuments(file, config)) {
        if (documents.length >= limit) break
        documents.push(document)
      }
    }
  if (documents.length === 0)
    throw new UserError(`The dataset ${config.path} holds no text.`, { fix: 'Name a file with text in it.' })
  const ids = new Set<string>()
  for (const { id } of documents) {
    if (ids.has(id))
      throw new UserError(`Two documents of ${config.path} have the id ${JSON.stringify(id)}.`, {
        fix: 'Make ids different, or name another field with dataset.idField.',
      })
    ids.add(id)
  }
  return documents
}

interface SourceFile {
  readonly path: string
  /** Path below the dataset's folder without ending: it begins the ids of documents that have no name of their own. */
  readonly name: string
  readonly strata: Readonly<Record<string, string>>
}

async function listFiles(path: string): Promise<SourceFile[]> {
  let isFolder: boolean
  try {
    isFolder = (await stat(path)).isDirectory()
  } catch (error) {
    throw readError(path, 'dataset', error)
  }
  const endings = [...textEndings, ...jsonlEndings]
  if (!isFolder) {
    if (!endings.includes(extname(path)))
      throw new UserError(
        `The dataset ${path} ends in ${extname(path) || 'nothing'}, but ${endings.join(', ')} are read.`,
      )
    return [{ path, name: basename(path, extname(path)), strata: {} }]
  }
  const found = (await readdir(path, { recursive: true })).filter(name => endings.includes(extname(name))).sort()
  if (found.length === 0) throw new UserError(`The folder ${path} has no file that ends in ${endings.join(', ')}.`)
  return found.map(file => {
    const name = file.slice(0, -extname(file).length).replaceAll('\\', '/')
    return { path: join(path, file), name, strata: { file: name } }
  })
}

async function fileDocuments({ path, name, strata }: SourceFile, config: DatasetConfig): Promise<Iterable<Document>> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    throw readError(path, 'dataset', error)
  }
  const text = decodeUtf8(bytes, path)
  if (jsonlEndings.includes(extname(path))) return jsonlDocuments(text, path, name, config, strata)
  if (config.strataFields.length > 0)
    throw new UserError(
      `dataset.strataFields is ${config.strataFields.join(', ')}, but the text ${path} has no fields.`,
      {
        fix: 'Use a JSONL file, or leave dataset.strataFields out.',
      },
    )
  return textDocuments(text, name, { separator: config.separator, strata })
}
