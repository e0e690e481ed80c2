/** For the installer's tests: small wheels, and a `python3` whose pip says and fetches what a test wants. */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { sha256 } from '../../core/hash.ts'
import type { Wheel } from './wheels.ts'

/** A zip archive of the files, every second one deflated. */
export function zipOf(files: Readonly<Record<string, string | Uint8Array>>): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  Object.entries(files).forEach(([name, content], i) => {
    const data = Buffer.from(content)
    const packed = i % 2 ? deflateRawSync(data) : data
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(i % 2 ? 8 : 0, 4)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(data.length, 18)
    common.writeUInt16LE(Buffer.byteLength(name), 22)
    const place = Buffer.alloc(14)
    place.writeUInt32LE(offset, 10)
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\0'), common, place, Buffer.from(name)]))
    parts.push(Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed]))
    offset += parts.at(-1)!.length
  })
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(directory.length, 8)
  end.writeUInt16LE(directory.length, 10)
  end.writeUInt32LE(Buffer.concat(directory).length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, ...directory, end])
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
