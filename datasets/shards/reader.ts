/** A finished capture, open for reading: its manifest, and its rows by number in any order. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseConfig } from '../../core/config.ts'
import { UserError } from '../../core/errors.ts'
import { readError, readJson } from '../../core/files.ts'
import { sha256File } from '../../core/hash.ts'
import { nearest } from '../../core/nearest.ts'
import { type Progress, silent } from '../../core/progress.ts'
import { CaptureManifest, type ShardRecord, upgradeManifest } from './manifest.ts'
import { mustMatch } from './match.ts'
import { Shard, ShardPlaces } from './shard.ts'

/** What is known of each row, beside its activations. */
export interface RowColumns {
  /** Index of the row's window in the dataset. */
  readonly document: Uint32Array
  /** Position in the window. */
  readonly position: Uint16Array
  readonly token: Int32Array
  readonly stratum: Uint16Array
  /** 1 / inclusion probability. */
  readonly weight: Float32Array
}

/** Rows `start` to `start + count`. */
export interface RowRange {
  readonly start: number
  readonly count: number
}

/** Activation rows of one capture, numbered through its shards. */
export interface Capture {
  readonly directory: string
  readonly manifest: CaptureManifest
  readonly rows: number
  readonly sites: readonly { readonly name: string; readonly width: number }[]
  /** Rows of a site in the order asked for, [rows.length, width]; into `out` where given. */
  read(site: string, rows: ArrayLike<number>, out?: Float32Array): Promise<Float32Array>
  /** `count` rows from `start`, [count, width]. */
  readRange(site: string, start: number, count: number): Promise<Float32Array>
  /** Rows of ranges, one after the other, into `out`, which must not be looked at before it is done; the thread is free meanwhile. */
  readRanges(site: string, ranges: readonly RowRange[], out: Float32Array): Promise<void>
  /** A row in words: its number in its shard, and in the capture. */
  placeOf(row: number): string
  /** The columns beside the activations, of all rows. */
  columns(): Promise<RowColumns>
  /** Compares every shard's sha256 with the manifest; throws a `UserError` that names the first which differs. */
  verify(progress?: Progress): Promise<void>
  close(): void
}

export interface OpenOptions {
  /** Check every shard's sha256 first; default true. */
  verify?: boolean
  progress?: Progress
}

/** Shards that are kept open at once. */
const openShards = 128

/**
 * Opens a capture's directory. Throws a `UserError` when `capture.json` is missing, broken or of an unknown schema, and
 * when a shard is missing, has another size, or (unless `verify` is false) another checksum.
 */
export async function openCapture(
  directory: string,
  { verify = true, progress = silent }: OpenOptions = {},
): Promise<Capture> {
  const manifest = await readCaptureManifest(directory)
  if (manifest.format !== 'arrow')
    throw new UserError(
      `The capture ${directory} is in ${manifest.format}, which other tools read, but training does not.`,
      {
        fix: 'Capture again with format arrow.',
      },
    )
  for (const shard of manifest.shards) await checkSize(directory, shard, 'shard')
  if (manifest.windows) await checkSize(directory, manifest.windows, 'table of windows')
  const capture = new OpenCapture(directory, manifest)
  if (verify) await capture.verify(progress)
  return capture
}

/** Reads and checks `capture.json`. */
export async function readCaptureManifest(directory: string): Promise<CaptureManifest> {
  const value = await readJson(join(directory, 'capture.json'), 'capture')
  const schema = (value as { schema?: unknown } | null)?.schema
  if (Number.isInteger(schema) && schema !== 1 && schema !== 2 && schema !== 3)
    throw new UserError(`The capture ${directory} has schema ${schema}, but this version reads schemas 1 to 3.`, {
      fix: 'Read it with the version that wrote it, or capture again.',
    })
  const manifest = parseConfig(CaptureManifest, schema === 3 ? value : upgradeManifest(value), 'capture.json')
  if (manifest.shards.reduce((sum, shard) => sum + shard.rows, 0) !== manifest.rows)
    throw new UserError(`The shards of the capture ${directory} do not add up to its ${manifest.rows} rows.`)
  // What is allocated for rows is bounded by what the files hold.
  for (const { file, rows, bytes } of manifest.shards)
    if (rows > bytes)
      throw new UserError(`The shard ${file} of ${directory} has ${bytes} bytes, too few for ${rows} rows.`)
  return manifest
}

type Sized = Pick<ShardRecord, 'file' | 'bytes'>

async function checkSize(directory: string, { file, bytes }: Sized, what: string): Promise<void> {
  const path = join(directory, file)
  let size: number
  try {
    size = (await stat(path)).size
  } catch (error) {
    throw readError(path, what, error)
  }
  if (size !== bytes)
    throw new UserError(`The ${what} ${path} has ${size} bytes, but capture.json says ${bytes}.`, {
      fix: 'Capture again.',
    })
}

class OpenCapture implements Capture {
  readonly directory: string
  readonly manifest: CaptureManifest
  /** First row of each shard, and at last the number of rows. */
  private readonly starts: number[]
  /** Open shards, the one used longest ago first. */
  private readonly open = new Map<number, Shard>()

  constructor(directory: string, manifest: CaptureManifest) {
    this.directory = directory
    this.manifest = manifest
    this.starts = [0]
    for (const { rows } of manifest.shards) this.starts.push(this.starts[this.starts.length - 1]! + rows)
  }

  get rows() {
    return this.manifest.rows
  }

  get sites() {
    return this.manifest.sites
  }

  async read(site: string, rows: ArrayLike<number>, out?: Float32Array): Promise<Float32Array> {
    const { width } = this.site(site)
    const count = rows.length
    const result = out ?? new Float32Array(count * width)
    if (result.length !== count * width)
      throw new Error(`out has ${result.length} values, but ${count} rows of ${width} are ${count * width}.`)
    const { sorted, slots } = this.sort(rows)
    let shard = 0
    for (let from = 0; from < count; ) {
      while (this.starts[shard + 1]! <= sorted[from]!) shard++
      let to = from + 1
      while (to < count && sorted[to]! < this.starts[shard + 1]!) to++
      const file = this.shard(shard)
      file.gather(file.column(site), sorted, slots, from, to, this.starts[shard]!, result)
      from = to
    }
    return result
  }

  async readRange(site: string, start: number, count: number): Promise<Float32Array> {
    const out = new Float32Array(count * this.site(site).width)
    await this.readRanges(site, [{ start, count }], out)
    return out
  }

  async readRanges(site: string, ranges: readonly RowRange[], out: Float32Array): Promise<void> {
    const { width } = this.site(site)
    const rows = ranges.reduce((sum, { count }) => sum + count, 0)
    if (out.length !== rows * width)
      throw new Error(`out has ${out.length} values, but ${rows} rows of ${width} are ${rows * width}.`)
    let [read, found] = [0, 0]
    let places = new ShardPlaces()
    const flush = async () => {
      const some = places
      places = new ShardPlaces()
      const part = out.subarray(read * width, found * width)
      read = found
      await some.read(part)
    }
    try {
      for (const { start, count } of ranges) {
        if (!(Number.isInteger(start) && start >= 0 && count >= 0 && start + count <= this.rows))
          throw new Error(`Rows ${start} to ${start + count} were asked for, but the capture has ${this.rows} rows.`)
        for (let index = this.shardOf(start), row = start; row < start + count; index++) {
          const base = this.starts[index]!
          const end = Math.min(start + count, this.starts[index + 1]!)
          places.add(this.shard(index), site, row - base, end - row)
          found += end - row
          row = end
          if (places.shards >= openShards / 2) await flush()
        }
      }
      await flush()
    } finally {
      places.release()
    }
  }

  placeOf(row: number): string {
    const index = this.shardOf(row)
    const own = row - this.starts[index]!
    return `row ${own} of ${join(this.directory, this.manifest.shards[index]!.file)} (row ${row} of the capture)`
  }

  async columns(): Promise<RowColumns> {
    const { rows } = this
    const columns = {
      document: new Uint32Array(rows),
      position: new Uint16Array(rows),
      token: new Int32Array(rows),
      stratum: new Uint16Array(rows),
      weight: new Float32Array(rows),
    }
    for (let i = 0; i < this.manifest.shards.length; i++) {
      for (const [name, column] of Object.entries(columns)) column.set(this.shard(i).values(name), this.starts[i])
    }
    return columns
  }

  async verify(progress: Progress = silent): Promise<void> {
    const { shards, windows } = this.manifest
    progress.start('Verifying shards', shards.length, 'shards')
    for (const [i, shard] of shards.entries()) {
      await this.verifyFile(shard, 'shard')
      progress.update(i + 1)
    }
    if (windows) await this.verifyFile(windows, 'table of windows')
    progress.finish()
  }

  private async verifyFile({ file, sha256 }: Pick<ShardRecord, 'file' | 'sha256'>, what: string): Promise<void> {
    const path = join(this.directory, file)
    if ((await sha256File(path)) !== sha256)
      throw new UserError(`The checksum of the ${what} ${path} is wrong: its content is not what was captured.`, {
        fix: `Capture again, or copy the ${what} anew.`,
      })
  }

  close(): void {
    for (const shard of this.open.values()) shard.close()
    this.open.clear()
  }

  private site(name: string) {
    const found = this.sites.find(site => site.name === name)
    if (found) return found
    const names = this.sites.map(site => site.name)
    throw new UserError(`The capture ${this.directory} has no site ${name}; it has ${names.join(', ')}.`, {
      fix: `Did you mean ${nearest(name, names, 1)[0]}?`,
    })
  }

  /** Row numbers in ascending order, and for each the place it was asked for at. */
  private sort(rows: ArrayLike<number>): { sorted: Float64Array; slots: Uint32Array } {
    const count = rows.length
    const sorted = new Float64Array(count)
    let ascending = true
    for (let i = 0; i < count; i++) {
      const row = rows[i]!
      if (!(row >= 0 && row < this.rows && Number.isInteger(row)))
        throw new Error(`Row ${row} was asked for, but the capture has ${this.rows} rows.`)
      sorted[i] = row
      if (i > 0 && row < sorted[i - 1]!) ascending = false
    }
    const slots = Uint32Array.from({ length: count }, (_, i) => i)
    if (ascending) return { sorted, slots }
    // Row and place in one number, so that a plain numeric sort keeps them together (rows · places stay below 2^53).
    for (let i = 0; i < count; i++) sorted[i] = sorted[i]! * count + i
    sorted.sort()
    for (let i = 0; i < count; i++) {
      const row = Math.floor(sorted[i]! / count)
      slots[i] = sorted[i]! - row * count
      sorted[i] = row
    }
    return { sorted, slots }
  }

  /** The shard that holds a row. */
  private shardOf(row: number): number {
    let [low, high] = [0, this.manifest.shards.length]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (this.starts[middle]! <= row) low = middle
      else high = middle
    }
    return low
  }

  private shard(index: number): Shard {
    const known = this.open.get(index)
    if (known) {
      if (this.open.size > openShards / 2) {
        this.open.delete(index)
        this.open.set(index, known)
      }
      return known
    }
    if (this.open.size >= openShards) {
      const [oldest, shard] = this.open.entries().next().value!
      shard.close()
      this.open.delete(oldest)
    }
    const record = this.manifest.shards[index]!
    const shard = new Shard(join(this.directory, record.file))
    try {
      mustMatch(shard, this.manifest, record)
    } catch (error) {
      shard.close()
      throw error
    }
    this.open.set(index, shard)
    return shard
  }
}
