/** Which files of a dataset's path are read, and which are not. */
import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, extname, join, relative } from 'node:path'
import { codeOf, UserError } from '../../core/errors.ts'
import { readError } from '../../core/files.ts'
import { sha256, sha256File } from '../../core/hash.ts'
import { packingOf } from './unpack.ts'

export interface SourceFile {
  readonly path: string
  /** Path below the dataset's folder without ending: it begins the ids of documents that have no name of their own. */
  readonly name: string
  readonly strata: Readonly<Record<string, string>>
}

export interface SourceFiles {
  /** In the order in which they are read: by path. */
  readonly files: readonly SourceFile[]
  /** Paths below the folder that are not read although they are not hidden: other endings, links that lead nowhere. */
  readonly leftOut: readonly string[]
}

const textEndings = ['.txt', '.text', '.md']
const jsonlEndings = ['.jsonl', '.ndjson']
const endings = [...textEndings, ...jsonlEndings, '.parquet']

/** The ending of a file in small letters. */
const endingOf = (path: string) => extname(path).toLowerCase()

/** Its ending before that of a packed file: `.jsonl` of `a.jsonl.gz`. */
const innerEnding = (path: string) =>
  endingOf(packingOf(path) === 'plain' ? path : path.slice(0, -extname(path).length))

/** Whether a file ends in a way that is read; Parquet files are packed in themselves. */
function isRead(path: string): boolean {
  const ending = innerEnding(path)
  return endings.includes(ending) && !(ending === '.parquet' && packingOf(path) !== 'plain')
}

/** Its name without what says of which kind it is. */
function nameOf(path: string): string {
  const unpacked = packingOf(path) === 'plain' ? path : path.slice(0, -extname(path).length)
  return unpacked.slice(0, unpacked.length - extname(unpacked).length)
}

/** How a file's documents are laid down, by its ending. */
export function formOf(path: string): 'text' | 'lines' | 'table' {
  const ending = innerEnding(path)
  return ending === '.parquet' ? 'table' : jsonlEndings.includes(ending) ? 'lines' : 'text'
}

/** How the endings that are read are said. */
const said = `${endings.join(', ')} (those of text also packed, as .gz or .zst)`

/**
 * The files of a dataset. Of a folder all that end in a known way, whatever the case of the letters, links to files and
 * folders followed, but nothing hidden (`.git`, `._a.txt`). Throws a `UserError` where there are none.
 */
export async function listFiles(path: string): Promise<SourceFiles> {
  const info = await stat(path).catch(error => {
    throw readError(path, 'dataset', error)
  })
  if (!info.isDirectory()) {
    // It is read more than once, and a pipe waits for whoever writes to it.
    if (!info.isFile())
      throw new UserError(`The dataset ${path} is neither a file nor a folder, but a pipe, a socket or a device.`, {
        fix: 'Write what comes out of it to a file, and name that.',
      })
    if (!isRead(path))
      throw new UserError(`The dataset ${path} ends in ${extname(path) || 'nothing'}, but ${said} are read.`, {
        fix: 'Unpack it, or convert it to JSONL.',
      })
    return { files: [{ path, name: nameOf(basename(path)), strata: {} }], leftOut: [] }
  }
  const found: string[] = []
  const leftOut: string[] = []
  await walk(path, '', [], { found, leftOut })
  if (found.length === 0)
    throw new UserError(`The folder ${path} has no file that ends in ${said}.${told(leftOut)}`, {
      fix: 'Unpack its files, or convert them to JSONL.',
    })
  const files = found.sort().map((file): SourceFile => {
    const name = nameOf(file)
    return { path: join(path, file), name, strata: { file: name } }
  })
  return { files, leftOut: leftOut.sort() }
}

/** sha256 of a file, or of the paths and contents of those files of a folder that are read. */
export async function hashSource(path: string): Promise<string> {
  const { files } = await listFiles(path)
  if (files.length === 1 && files[0]!.path === path) return sha256File(path)
  const lines: string[] = []
  for (const file of files)
    lines.push(`${relative(path, file.path).replaceAll('\\', '/')} ${await sha256File(file.path)}`)
  return sha256(lines.join('\n'))
}

/** ` Not read: 3 .gz, 1 .parquet.`, or nothing; at the end of a sentence. */
export function told(leftOut: readonly string[]): string {
  if (leftOut.length === 0) return ''
  const counts = new Map<string, number>()
  for (const path of leftOut) {
    const kind = extname(path) ? endingOf(path) : 'without ending'
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  const kinds = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([kind, count]) => `${count} ${kind}`)
  return ` Not read: ${kinds.join(', ')} (${leftOut.slice(0, 3).join(', ')}${leftOut.length > 3 ? ' …' : ''}).`
}

interface Walk {
  readonly found: string[]
  readonly leftOut: string[]
}

/** `above` holds the real paths of the folders that this one lies in: a link back into one of them is a circle. */
async function walk(folder: string, prefix: string, above: readonly string[], into: Walk): Promise<void> {
  let here: string
  let entries: string[]
  try {
    here = await realpath(folder)
    entries = await readdir(folder)
  } catch (error) {
    throw readError(folder, 'dataset', error)
  }
  if (above.includes(here)) return
  for (const entry of entries) {
    if (entry.startsWith('.')) continue
    const path = join(folder, entry)
    const name = prefix + entry
    const info = await stat(path).catch(error => {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ELOOP') return undefined
      throw readError(path, 'dataset', error)
    })
    if (info?.isDirectory()) await walk(path, `${name}/`, [...above, here], into)
    else if (info?.isFile() && isRead(entry)) into.found.push(name)
    else into.leftOut.push(name)
  }
}
