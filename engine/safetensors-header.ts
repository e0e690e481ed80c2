/** The header of a safetensors file, checked in full: every way it can be wrong is one sentence. */
import { z } from 'zod'
import { UserError } from '../core/errors.ts'

/** Where a tensor's bytes are, from the end of the header. */
export interface TensorEntry {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

const bytesOf: Record<string, number> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
}

const Size = z.int().min(0)
const Entry = z.strictObject({ dtype: z.string(), shape: z.array(Size), data_offsets: z.tuple([Size, Size]) })
const Metadata = z.record(z.string(), z.string())

/** The header's tensors in the order of their bytes, and its metadata. `dataBytes` is what follows the header. */
export function parseHeader(
  header: Uint8Array,
  dataBytes: number,
  path: string,
): { tensors: Map<string, TensorEntry>; metadata: Record<string, string> } {
  const fail = (why: string): never => {
    throw new UserError(`${path} is not a valid safetensors file: ${why}.`, { fix: 'Fetch or write the file again.' })
  }
  let text = ''
  let parsed: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(header)
    parsed = JSON.parse(text)
  } catch {
    fail('its header is not JSON')
  }
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed)) fail('its header is not a JSON object')
  const twice = repeatedKey(text)
  if (twice !== undefined) fail(`its header names ${JSON.stringify(twice)} twice`)
  const { __metadata__, ...entries } = parsed as Record<string, unknown>
  const metadata = Metadata.safeParse(__metadata__ ?? {})
  if (!metadata.success) fail('its __metadata__ is not an object of strings')

  const tensors: [string, TensorEntry][] = []
  for (const [name, value] of Object.entries(entries)) {
    const entry = Entry.safeParse(value)
    if (!entry.success) {
      const [issue] = entry.error.issues
      fail(`tensor ${name} has a wrong entry (${[...issue!.path, ''].join(' ')}${issue!.message})`)
    }
    const { dtype, shape, data_offsets } = entry.data!
    const [begin, end] = data_offsets
    const unit = Object.hasOwn(bytesOf, dtype)
      ? bytesOf[dtype]!
      : fail(`tensor ${name} has an unknown dtype ${dtype}, known are ${Object.keys(bytesOf).join(', ')}`)
    if (begin > end) fail(`tensor ${name} ends at byte ${end}, before it begins at ${begin}`)
    if (end > dataBytes) fail(`it is cut short: tensor ${name} ends at byte ${end} of the data, which has ${dataBytes}`)
    // Beyond 2^53 the product is inexact but still far from any length a file can have.
    const needed = shape.reduce((product, size) => product * size, unit)
    if (needed !== end - begin)
      fail(`tensor ${name} is ${dtype} [${shape.join(', ')}], which takes ${needed} bytes, but it has ${end - begin}`)
    tensors.push([name, { dtype, shape, begin, end }])
  }

  tensors.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)
  let reached = 0
  let before = ''
  for (const [name, { begin, end }] of tensors) {
    if (begin < reached) fail(`tensors ${before} and ${name} overlap at byte ${begin} of the data`)
    if (begin > reached) fail(`bytes ${reached} to ${begin} of the data, before tensor ${name}, belong to no tensor`)
    reached = end
    before = name
  }
  if (reached < dataBytes) fail(`the last ${dataBytes - reached} bytes of the data belong to no tensor`)
  return { tensors: new Map(tensors), metadata: metadata.data! }
}

/** A key that an object of this (valid) JSON text has twice; `JSON.parse` would keep the last and say nothing. */
function repeatedKey(json: string): string | undefined {
  const open: (Set<string> | null)[] = []
  for (const [token, string] of json.matchAll(/("(?:[^"\\]|\\.)*")\s*(?=:)|"(?:[^"\\]|\\.)*"|[{}[\]]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(null)
    else if (token === '}' || token === ']') open.pop()
    else if (string !== undefined) {
      const key = JSON.parse(string) as string
      const keys = open.at(-1)
      if (keys?.has(key)) return key
      keys?.add(key)
    }
  }
  return undefined
}
