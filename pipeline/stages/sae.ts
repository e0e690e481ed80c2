/** Opening the SAE of a run or of a directory, and what its capture knows. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { readRunManifest } from '../../runs/folder.ts'
import { readVerified } from '../../runs/read.ts'
import type { FinishedRun } from '../../runs/run.ts'
import type { RunStore } from '../../runs/store.ts'
import type { Sae } from '../../sae/sae.ts'
import type { Found } from './found.ts'
import { findSae } from './inputs.ts'
import { reading } from './reading.ts'

/** What an SAE's run holds of it. */
export const saeFiles = ['cfg.json', 'sae_weights.safetensors']

/** The SAE of a train or import run, or of an SAELens directory; the caller disposes it. */
export async function loadSaeOf(found: Found): Promise<Sae> {
  const { loadSae } = await import('../../sae/formats/saelens.ts')
  return opening(found, () => loadSae(found.directory))
}

/** A run's SAE, or the directory of one of any format that is no run. */
export async function findAnySae(store: RunStore, reference: string): Promise<Pick<Found, 'directory' | 'run'>> {
  const path = resolve(reference)
  return existsSync(path) && !(await readRunManifest(path)) ? { directory: path } : findSae(store, reference)
}

/** Opens an SAE of any format; the caller disposes it. */
export async function openAnySae(found: Pick<Found, 'directory' | 'run'>): Promise<Sae> {
  const { openSae } = await import('../../sae/formats/index.ts')
  return opening(found, () => openSae(found.directory))
}

async function opening(found: Pick<Found, 'directory' | 'run' | 'footprint'>, open: () => Promise<Sae>): Promise<Sae> {
  let sae: Sae | undefined
  try {
    return await reading(found, saeFiles, async () => {
      sae = await open()
      return sae
    })
  } catch (error) {
    sae?.dispose()
    throw error
  }
}

/** Mean activation [width] at a site over all tokens that a capture was sampled from; undefined where it has no such site. */
export async function captureMean(
  { run }: { readonly run: FinishedRun },
  site: string,
): Promise<Float32Array | undefined> {
  const { readCaptureManifest } = await import('../../datasets/shards/index.ts')
  const manifest = await readVerified(run, ['capture.json'], () => readCaptureManifest(run.directory))
  const found = manifest.sites.find(({ name }) => name === site)
  return found && Float32Array.from(found.statistics.populationMean)
}
