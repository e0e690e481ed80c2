/** Small zip archives, for tests. */
import { deflateRawSync } from 'node:zlib'

export interface ZipOfOptions {
  /** Which members are deflated, by their index; none by default. */
  readonly deflate?: (index: number) => boolean
  /** What the archive says of how its members are packed, where that is not the truth. */
  readonly method?: number
  /** What the archive says of their unpacked sizes, where that is not the truth. */
  readonly size?: number
}

/** An archive of these members. */
export function zipOf(
  members: Readonly<Record<string, string | Uint8Array>>,
  { deflate = () => false, method, size }: ZipOfOptions = {},
): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [i, [name, content]] of Object.entries(members).entries()) {
    const data = Buffer.from(content)
    const packed = deflate(i) ? deflateRawSync(data) : data
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(method ?? (deflate(i) ? 8 : 0), 4)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(size ?? data.length, 18)
    common.writeUInt16LE(Buffer.byteLength(name), 22)
    const place = Buffer.alloc(14)
    place.writeUInt32LE(offset, 10)
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\0'), common, place, Buffer.from(name)]))
    parts.push(Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed]))
    offset += parts.at(-1)!.length
  }
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(directory.length, 8)
  end.writeUInt16LE(directory.length, 10)
  end.writeUInt32LE(Buffer.concat(directory).length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, ...directory, end])
}
