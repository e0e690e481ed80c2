/** What the SAE keeps of its site, on discovery and validation text together: measured as sums a window, which are kept. */
import { join } from 'node:path'
import { positionBandOf } from '../capture/strata.ts'
import type { StageContext } from '../core/stage.ts'
import type { Split, TokenWindow } from '../datasets/document.ts'
import { drawWindows } from '../datasets/draw.ts'
import { unitOf } from '../datasets/unit.ts'
import { firstPosition, measuredDraw, throwIfInterrupted } from '../latents/activations.ts'
import { siteValues } from '../latents/projections.ts'
import { reconstructionRows, siteMean } from '../latents/reconstruction.ts'
import { lossNames, sumNames } from '../latents/reconstruction-rows.ts'
import { fewValued } from './claims/labelled-text.ts'
import type { ValidateInputs } from './inputs.ts'
import type { StratifiedRow } from './judging/reconstruction.ts'
import { type RowColumns, readRows, writeRows } from './tables.ts'

/** Tokens whose values resample ablation puts in the place of others. */
const donorTokens = 2048

/** A reconstruction as its working file holds it. */
export interface MeasuredReconstruction {
  readonly rows: readonly StratifiedRow[]
  readonly meanFrom: 'capture' | 'discovery'
}

/** Measures reconstruction; mean ablation puts the mean of the capture in place, or that of discovery text. */
export async function reconstruct(
  { progress, signal, seed }: StageContext,
  { model, sae, dataset, config, captureMean }: ValidateInputs,
  discoveryWindows: readonly TokenWindow[],
): Promise<MeasuredReconstruction> {
  const half = Math.ceil(config.maxTokens / 2)
  const stop = () => throwIfInterrupted(signal)
  const drawn = (split: Split) => drawWindows(dataset, { ...measuredDraw, split, seed, tokens: half }, stop)
  const windows = [...(await drawn('discovery')), ...(await drawn('validation'))]
  progress.start('Measuring reconstruction', windows.length, 'windows')
  const site = sae.metadata.hook_name
  const reading = { batchTokens: config.batchTokens, signal }
  const mean = captureMean ?? (await siteMean(model, site, discoveryWindows, reading))
  const meanFrom = captureMean ? ('capture' as const) : ('discovery' as const)
  const read = await siteValues(model, site, donorsOf(discoveryWindows), new Float32Array(sae.width), reading)
  const rows = await reconstructionRows(model, sae, windows, {
    ...reading,
    onBatch: done => progress.update(done),
    ...{ mean, meanFrom, donors: { values: read.values, seed }, bandOf: positionBandOf(config.positionBands) },
  })
  progress.finish()
  const byId = new Map(windows.map(window => [window.id, window]))
  const fields = config.robustness ?? (await fewValued(dataset, stop))
  return {
    meanFrom,
    rows: rows.map(row => {
      const window = byId.get(row.window)!
      const { strata } = dataset.documents.at(window.documents[firstPosition]!)!
      return {
        ...row,
        document: unitOf(dataset, window),
        strata: fields.flatMap(field => (strata[field] === undefined ? [] : [`${field}=${strata[field]}`])),
      }
    }),
  }
}

/** The first windows that have as many tokens as are drawn from. */
function donorsOf(windows: readonly TokenWindow[]): TokenWindow[] {
  const taken: TokenWindow[] = []
  let tokens = 0
  for (const window of windows) {
    if (tokens >= donorTokens) break
    taken.push(window)
    tokens += window.tokens.length - firstPosition
  }
  return taken
}

const each = (names: readonly string[], type: RowColumns[string]): RowColumns =>
  Object.fromEntries(names.map(name => [name, type]))
const columns: RowColumns = {
  ...{
    document: 'string',
    strata: 'list<string>',
    window: 'string',
    band: 'string',
    tokens: 'int32',
    predicted: 'int32',
  },
  ...each([...sumNames, 'spread'], 'float64'),
  ...each(lossNames, 'float64?'),
  ...{ latents: 'list<int32>', counts: 'list<int32>' },
}
const fileName = 'reconstruction.parquet'

/** Writes reconstruction.parquet: the sums of a window in a band of positions, a row each. */
export async function writeReconstruction(directory: string, rows: readonly StratifiedRow[]): Promise<void> {
  await writeRows(join(directory, fileName), columns, rows)
}

/** Reads it back. */
export async function readReconstruction(directory: string): Promise<StratifiedRow[]> {
  return readRows<StratifiedRow>(join(directory, fileName), columns)
}
