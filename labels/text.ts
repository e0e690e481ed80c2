/**
 * The text that latents are described on: its two halves, each in pieces that are encoded one by one, by whichever process.
 * A piece is some of the batches in which the whole is encoded, so that its numbers do not depend on who encodes it.
 */
import { join } from 'node:path'
import { makeFolder } from '../core/files.ts'
import { breathe, type StageContext } from '../core/stage.ts'
import { type WindowBatch, windowBatches } from '../datasets/batches.ts'
import type { TokenDataset, TokenWindow } from '../datasets/document.ts'
import { drawWindows } from '../datasets/draw.ts'
import type { Tokenizer } from '../datasets/tokenizer/index.ts'
import { openSafetensors, writeSafetensors } from '../engine/safetensors.ts'
import {
  type Activations,
  encodeBatch,
  gatherActivations,
  throwIfInterrupted,
  type WindowActivations,
} from '../latents/activations.ts'
import type { Model } from '../model/model.ts'
import type { Sae } from '../sae/sae.ts'
import type { LabelConfig } from './config.ts'

/** Rules, statistics and examples come from the first, scores from the second. */
export const halves = ['discovery', 'validation'] as const
export type Half = (typeof halves)[number]

/** Batches that are encoded as one piece. */
const batchesInPiece = 4

export interface TextPiece {
  /** A plain file name. */
  readonly name: string
  readonly batches: readonly WindowBatch[]
}

export interface HalfText {
  readonly windows: readonly TokenWindow[]
  readonly pieces: readonly TextPiece[]
}

/** Draws both halves and divides them. Throws an `InterruptedError` once the signal is aborted. */
export async function drawText(
  dataset: TokenDataset,
  config: LabelConfig,
  { seed, signal }: Pick<StageContext, 'seed' | 'signal'>,
): Promise<Readonly<Record<Half, HalfText>>> {
  const stop = () => throwIfInterrupted(signal)
  const draw = async (split: Half): Promise<HalfText> => {
    const windows = await drawWindows(dataset, { split, purpose: 'label', seed, tokens: config.tokens }, stop)
    const batches = windowBatches(windows, config.batchTokens)
    const pieces = Array.from({ length: Math.ceil(batches.length / batchesInPiece) }, (_, i) => ({
      name: `${split}-${String(i).padStart(5, '0')}.safetensors`,
      batches: batches.slice(i * batchesInPiece, (i + 1) * batchesInPiece),
    }))
    return { windows, pieces }
  }
  return { discovery: await draw('discovery'), validation: await draw('validation') }
}

/** Texts of tokens, each looked up once. */
export function textsOf(tokenizer: Pick<Tokenizer, 'token'>): (token: number) => string {
  const known = new Map<number, string>()
  return token => {
    const found = known.get(token) ?? tokenizer.token(token)
    known.set(token, found)
    return found
  }
}

export interface EncodeOptions {
  readonly model: Model
  readonly sae: Sae
  readonly signal: AbortSignal
  /** Called with the windows of each batch that is done. */
  readonly onBatch?: (windows: number) => void
}

/** What latents do in each window of a piece. */
async function encodePiece(
  { batches }: TextPiece,
  { model, sae, signal, onBatch }: EncodeOptions,
): Promise<Map<TokenWindow, WindowActivations>> {
  const found = new Map<TokenWindow, WindowActivations>()
  for (const batch of batches) {
    await breathe()
    throwIfInterrupted(signal)
    const encoded = encodeBatch(model, sae, batch)
    for (const [b, window] of batch.windows.entries()) found.set(window, encoded[b]!)
    onBatch?.(batch.windows.length)
  }
  return found
}

/** Encodes a piece and leaves it in a folder as a file of its name. */
export async function writePiece(piece: TextPiece, folder: string, options: EncodeOptions): Promise<void> {
  const found = [...(await encodePiece(piece, options)).values()]
  const counts = Int32Array.from(found, ({ value }) => value.length)
  const total = counts.reduce((sum, count) => sum + count, 0)
  const [position, latent, value] = [new Int32Array(total), new Int32Array(total), new Float32Array(total)]
  let at = 0
  for (const window of found) {
    position.set(window.position, at)
    latent.set(window.latent, at)
    value.set(window.value, at)
    at += window.value.length
  }
  await makeFolder(folder)
  await writeSafetensors(join(folder, piece.name), {
    counts: { shape: [counts.length], data: counts },
    ...{ position: { shape: [total], data: position }, latent: { shape: [total], data: latent } },
    value: { shape: [total], data: value },
  })
}

/** A piece as `writePiece` left it. */
async function readPiece({ name, batches }: TextPiece, folder: string): Promise<Map<TokenWindow, WindowActivations>> {
  const file = await openSafetensors(join(folder, name))
  try {
    const [counts, position, latent, value] = [
      await file.readInts('counts'),
      Uint16Array.from(await file.readInts('position')),
      Uint32Array.from(await file.readInts('latent')),
      await file.read('value'),
    ]
    const found = new Map<TokenWindow, WindowActivations>()
    let at = 0
    for (const [i, window] of batches.flatMap(({ windows }) => windows).entries()) {
      const end = at + counts[i]!
      found.set(window, {
        ...{ position: position.subarray(at, end), latent: latent.subarray(at, end) },
        value: value.subarray(at, end),
      })
      at = end
    }
    return found
  } finally {
    await file.close()
  }
}

/** What every latent does on a half. `kept` names the folder of a piece that is encoded already, where there is one. */
export async function readHalf(
  { windows, pieces }: HalfText,
  kept: (piece: TextPiece) => Promise<string | undefined>,
  options: EncodeOptions,
): Promise<Activations> {
  const found = new Map<TokenWindow, WindowActivations>()
  for (const piece of pieces) {
    const folder = await kept(piece)
    const part = folder === undefined ? await encodePiece(piece, options) : await readPiece(piece, folder)
    for (const [window, activations] of part) found.set(window, activations)
  }
  return gatherActivations(windows, options.sae.latents, found)
}
