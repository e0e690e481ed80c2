/** For the installer's tests: small wheels, and a `python3` whose pip says and fetches what a test wants. */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { sha256 } from '../../core/hash.ts'
import { zipOf } from '../../core/zip.fixture.ts'
import type { Wheel } from './wheels.ts'

/** A zip archive of the files, every second one deflated. */
export function archiveOf(files: Readonly<Record<string, string | Uint8Array>>): Buffer {
  return zipOf(files, { deflate: i => i % 2 === 1 })
}

/** The pinned entry for a wheel with this content. */
export function wheelOf(content: Uint8Array, file = 'thing-1.0-py3-none-any.whl'): Wheel {
  return { file, bytes: content.length, sha256: sha256(content) }
}

/** How the stand-in for pip behaves. */
export interface FakePip {
  readonly version?: string
  /** What `pip install --report` names; none: it finds nothing. */
  readonly url?: string
  /** A file that `pip download` copies; none: it fails. */
  readonly file?: string
}

/** Puts a `python3` into `folder` and returns the PATH on which it comes first. It logs its calls to `calls.txt`. */
export async function fakePython(folder: string, { version = '23.2.1', url, file }: FakePip): Promise<string> {
  await mkdir(folder, { recursive: true })
  const report = JSON.stringify({ install: url ? [{ download_info: { url } }] : [] })
  const script = `#!/bin/sh
echo "$3" >> '${join(folder, 'calls.txt')}'
case "$3" in
  --version) echo 'pip ${version} from somewhere' ;;
  install) ${url ? `echo '${report}'` : "echo 'ERROR: No matching distribution' >&2; exit 1"} ;;
  download) mkdir -p "$5"; ${file ? `cp '${file}' "$5"` : "echo 'ERROR: no network' >&2; exit 1"} ;;
esac
`
  await writeFile(join(folder, 'python3'), script)
  await chmod(join(folder, 'python3'), 0o755)
  return folder + delimiter + process.env.PATH
}
