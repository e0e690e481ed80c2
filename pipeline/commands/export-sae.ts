/** `pipeline export sae`: an SAE for other libraries. */
import { z } from 'zod'
import { outsideRuns, placeOf } from '../../core/destination.ts'
import type { SaeFormat } from '../../sae/formats/index.ts'
import { defineCommand } from '../command.ts'
import { openStore, StoreConfig } from '../stages/common.ts'
import { reading } from '../stages/reading.ts'
import { findAnySae, openAnySae } from '../stages/sae.ts'

const formats = ['saelens', 'dictionary_learning', 'sparsify', 'gemma-scope'] as const satisfies readonly SaeFormat[]

export default defineCommand({
  about:
    'Writes an SAE into a directory that another library opens: saelens (cfg.json, sae_weights.safetensors, sparsity.safetensors), dictionary_learning (ae.pt, config.json), sparsify (sae.safetensors and cfg.json in a folder named by the hookpoint) or gemma-scope (params.npz). An SAE that the format cannot hold is refused. docs/formats.md says what becomes of it in each.',
  examples: [
    'pipeline export sae --run run42 --output my-sae',
    'pipeline export sae --run run42 --to sparsify --output for-sparsify',
  ],
  config: z.strictObject({
    run: z.string().describe('Run that trained or imported the SAE, or a directory of any of the formats'),
    to: z.enum(formats).default('saelens').describe('Library that is to open it'),
    output: z.string().describe('Directory to make'),
    ...StoreConfig,
  }),
  async run(config) {
    const found = await findAnySae(openStore(config), config.run)
    const directory = placeOf('output', config.output)
    await outsideRuns(directory)
    const { startEngine } = await import('../../engine/engine.ts')
    await startEngine()
    const { loadSparsity } = await import('../../sae/formats/saelens.ts')
    const { toPortable } = await import('../../sae/formats/write/portable.ts')
    const { exportSae } = await import('../../sae/formats/write/export.ts')
    const opened = await openAnySae(found)
    try {
      const density = await reading(found, ['sparsity.safetensors'], () => loadSparsity(found.directory))
      const portable = await toPortable(opened, density)
      const files = await exportSae(directory, portable, config.to)
      return {
        text: `The SAE is in ${directory}: ${files.join(', ')}.`,
        json: { path: directory, format: config.to, files },
      }
    } finally {
      opened.dispose()
    }
  },
})
