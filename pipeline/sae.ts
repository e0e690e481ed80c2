/** Opening the SAE of a run or of a directory. */
import type { Sae } from '../sae/sae.ts'
import type { Found } from './inputs.ts'

/** The SAE of a train or import run, or of an SAELens directory; the caller disposes it. */
export async function loadSaeOf(found: Found): Promise<Sae> {
  const { loadSae } = await import('../sae/formats/saelens.ts')
  return loadSae(found.directory)
}
