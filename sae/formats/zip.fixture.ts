/** Small stored zip archives, for tests. */

/** An archive of these members; `method` lies about how they are stored. */
export function zipOf(members: Record<string, Uint8Array>, { method = 0 } = {}): Uint8Array {
  const parts: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let offset = 0
  for (const [name, data] of Object.entries(members)) {
    const path = new TextEncoder().encode(name)
    const common = (view: DataView, at: number) => {
      view.setUint16(at + 4, method, true)
      view.setUint32(at + 14, data.length, true)
      view.setUint32(at + 18, data.length, true)
      view.setUint16(at + 22, path.length, true)
    }
    const local = new DataView(new ArrayBuffer(30))
    local.setUint32(0, 0x04034b50, true)
    common(local, 4)
    const central = new DataView(new ArrayBuffer(46))
    central.setUint32(0, 0x02014b50, true)
    common(central, 6)
    central.setUint32(42, offset, true)
    parts.push(new Uint8Array(local.buffer), path, data)
    directory.push(new Uint8Array(central.buffer), path)
    offset += 30 + path.length + data.length
  }
  const end = new DataView(new ArrayBuffer(22))
  end.setUint32(0, 0x06054b50, true)
  end.setUint16(8, Object.keys(members).length, true)
  end.setUint16(10, Object.keys(members).length, true)
  end.setUint32(
    12,
    directory.reduce((sum, part) => sum + part.length, 0),
    true,
  )
  end.setUint32(16, offset, true)
  return Buffer.concat([...parts, ...directory, new Uint8Array(end.buffer)])
}
