/** Opening the SAE of a run or of a directory, and what its capture knows. */
import { inheritedRun } from '../../runs/lineage.ts'
import type { RunStore } from '../../runs/store.ts'
import type { Sae } from '../../sae/sae.ts'
import type { Found } from './inputs.ts'

/** The SAE of a train or import run, or of an SAELens directory; the caller disposes it. */
export async function loadSaeOf(found: Found): Promise<Sae> {
  const { loadSae } = await import('../../sae/formats/saelens.ts')
  return loadSae(found.directory)
}

/**
 * Mean activation [width] at a site over all tokens that the SAE's capture was sampled from; undefined where the SAE has
 * no capture or it has no such site.
 */
export async function captureMean(store: RunStore, sae: Found, site: string): Promise<Float32Array | undefined> {
  const capture = sae.run && (await inheritedRun(store, sae.run, 'capture'))
  if (!capture) return undefined
  const { readCaptureManifest } = await import('../../datasets/shards/index.ts')
  const found = (await readCaptureManifest(capture.directory)).sites.find(({ name }) => name === site)
  return found && Float32Array.from(found.statistics.populationMean)
}
