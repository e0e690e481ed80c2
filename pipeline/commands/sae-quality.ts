/** `pipeline sae quality`: how well an SAE reconstructs rows of a file, and how sparsely. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { columns } from '../../core/text.ts'
import { defineCommand } from '../command.ts'
import { openStore, ProcessConfig, StoreConfig, startProcessEngine } from '../stages/common.ts'
import { findAnySae, openAnySae } from '../stages/sae.ts'

export default defineCommand({
  about:
    'Measures an SAE on rows of a safetensors file: unexplained variance (FVU), errors row by row, latents a row (L0) and latents that never fire. docs/sae.md has the definitions.',
  examples: ['pipeline sae quality --sae run42 --rows activations.safetensors'],
  operands: ['sae'],
  config: z.strictObject({
    sae: z.string().describe('Run or directory of the SAE'),
    rows: z.string().describe('Safetensors file with the rows of a site'),
    tensor: z.string().default('x').describe('Tensor of that file, [rows, width]'),
    ...ProcessConfig,
    ...StoreConfig,
  }),
  async run(config) {
    const found = await findAnySae(openStore(config), config.sae)
    await startProcessEngine(config)
    const { tf } = await import('../../engine/tf.ts')
    const { rowsOf } = await import('../../sae/measure/reference.ts')
    const { measureRows } = await import('../../sae/measure/row-quality.ts')
    const sae = await openAnySae(found)
    try {
      const rows = await rowsOf(resolve(config.rows), sae.width, Number.POSITIVE_INFINITY, config.tensor)
      const x = tf.tensor2d(rows, [rows.length / sae.width, sae.width])
      const quality = measureRows(sae, x)
      x.dispose()
      const spread = (name: string, { mean, p99 }: { mean: number; p99: number }) => [
        name,
        mean.toPrecision(6),
        p99.toPrecision(6),
      ]
      const lines = [
        `${quality.rows} rows, ${sae.architecture}, ${sae.latents} latents`,
        `FVU ${quality.fvu.toPrecision(6)}, cosine similarity ${quality.cosine_similarity.toPrecision(6)}, ${quality.dead} dead latents`,
        ...columns(
          [
            ['', 'mean', '99th percentile'],
            spread('error of a row', quality.row_error),
            spread('relative error of a row', quality.row_relative_error),
            spread('latents a row (L0)', quality.row_l0),
          ],
          [1, 2],
        ),
      ]
      return { text: lines.join('\n'), json: { ...quality } }
    } finally {
      sae.dispose()
    }
  },
})
