/** Where documents come from: files, folders, and the built-in datasets by name. */
import { createHash } from 'node:crypto'
import { basename, relative } from 'node:path'
import { DigestIndex } from '../../core/digest-index.ts'
import { InterruptedError, UserError } from '../../core/errors.ts'
import { type Progress, silent } from '../../core/progress.ts'
import { breathe } from '../../core/stage.ts'
import { counted } from '../../core/text.ts'
import type { DatasetConfig } from '../config.ts'
import type { Document } from '../document.ts'
import { formOf, listFiles, type SourceFile, told } from './files.ts'
import { jsonlDocuments, type Line } from './jsonl.ts'
import { parquetDocuments } from './parquet.ts'
import { DocumentProblem, named, type Place, SkipLog } from './skipped.ts'
import { textDocuments } from './text.ts'
import { packingOf } from './unpack.ts'
import { hasChecksum } from './zstandard.ts'

type BuiltIn = () => Promise<(options: { seed: number; index: number }) => Document>

/** Datasets the project makes itself, by the name that stands in `path`: a document by its number. */
const builtIn: Readonly<Record<string, BuiltIn>> = {
  toyworld: async () => {
    const { toyworldDocument } = await import('../toyworld/index.ts')
    return ({ seed, index }) => toyworldDocument(seed, index).document
  },
}

/** Documents a built-in dataset makes when the config does not say. */
const builtInDocuments = 4000

export interface ReadOptions {
  readonly progress?: Progress | undefined
  readonly signal?: AbortSignal | undefined
}

export interface ReadDocuments {
  /**
   * Every document that can be used, in the dataset's order; they can be read once, and only the one being read is held. Two
   * of one id are one too many. Throws a `UserError` when there are none, when more than `maxSkipped` of them cannot be used,
   * and for a file that cannot be read.
   */
  readonly documents: AsyncIterable<Document>
  /** What has been left out so far. */
  readonly skipped: SkipLog
  /** Files that were read so far and have no checksums that they could be held to, as paths below the dataset's folder. */
  readonly unchecked: readonly string[]
  /** Documents there were so far, those left out included. */
  readonly seen: number
}

/** Documents between two looks at the signal. */
const stride = 256

/** The documents of a dataset, ready to be read. About 12 to 24 bytes a document stay in memory, by which ids are told apart. */
export function readDocuments(config: DatasetConfig, options: ReadOptions = {}): ReadDocuments {
  const { progress = silent, signal } = options
  const skipped = new SkipLog()
  const unchecked: string[] = []
  const onUnchecked = ({ path }: SourceFile) => {
    progress.note(`${path} was packed without checksums: where bytes of it were changed, that may not be seen.`)
    unchecked.push(relative(config.path, path) || basename(path))
  }
  let seen = 0
  async function* documents(): AsyncGenerator<Document> {
    const limit = config.documents ?? Number.POSITIVE_INFINITY
    const ids = new DigestIndex()
    for await (const { place, document } of linesOf(config, progress, onUnchecked)) {
      if (ids.size >= limit) break
      seen++
      if (document instanceof DocumentProblem) skipped.add(document)
      else if (!ids.add(createHash('sha256').update(document.id).digest()).isNew)
        skipped.add(sameId(document.id, place, config.path))
      else yield document
      if (seen % stride === 0) await pause(signal)
    }
    skipped.check(seen, config.maxSkipped)
    if (ids.size === 0)
      throw new UserError(`The dataset ${config.path} holds no text.`, { fix: 'Name a file with text in it.' })
  }
  return {
    documents: documents(),
    skipped,
    unchecked,
    get seen() {
      return seen
    },
  }
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  await breathe()
  if (signal?.aborted)
    throw new InterruptedError('Reading the text was interrupted.', { fix: 'Start it again to go on.' })
}

function sameId(id: string, place: Place, path: string): DocumentProblem {
  return new DocumentProblem(
    'an id that another has',
    place,
    `Two documents of ${path} have the id ${JSON.stringify(id)} (the second: ${named(place)}).`,
    { fix: 'Make ids different, or name another field with dataset.idField' },
  )
}

async function* linesOf(
  config: DatasetConfig,
  progress: Progress,
  onUnchecked: (file: SourceFile) => void,
): AsyncGenerator<Line> {
  const make = Object.hasOwn(builtIn, config.path) ? await builtIn[config.path]!() : undefined
  if (make) {
    const { seed, documents = builtInDocuments } = config
    for (let index = 0; index < documents; index++)
      yield { place: { name: `document ${index}` }, document: make({ seed, index }) }
    return
  }
  const { files, leftOut } = await listFiles(config.path)
  if (leftOut.length > 0)
    progress.note(`Reading ${counted(files.length, 'file', 'files')} of ${config.path}.${told(leftOut)}`)
  for (const file of files) {
    if (packingOf(file.path) === 'zstandard' && !(await hasChecksum(file.path))) onUnchecked(file)
    yield* linesOfFile(file, config)
  }
}

async function* linesOfFile({ path, name, strata }: SourceFile, config: DatasetConfig): AsyncGenerator<Line> {
  const form = formOf(path)
  if (form !== 'text') {
    yield* (form === 'lines' ? jsonlDocuments : parquetDocuments)(path, name, config, strata)
    return
  }
  if (config.strataFields.length > 0)
    throw new UserError(
      `dataset.strataFields is ${config.strataFields.join(', ')}, but the text ${path} has no fields.`,
      {
        fix: 'Use a JSONL or Parquet file, or leave dataset.strataFields out.',
      },
    )
  for await (const document of textDocuments(path, name, { separator: config.separator, strata }))
    yield { place: { name: document.id === name ? path : `${path} (${document.id})` }, document }
}
