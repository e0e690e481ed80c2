/** `pipeline sae quality`: how well an SAE reconstructs rows of a file, and how sparsely. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { columns } from '../../core/text.ts'
import type { RowQuality, Spread } from '../../sae/measure/row-quality.ts'
import { reconstructs, type Sae } from '../../sae/sae.ts'
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
    tensor: z.string().default('x').describe('Tensor of that file, [rows, width] or [batch, position, width]'),
    target: z.string().optional().describe('Tensor of that file that a transcoder has to predict, row by row'),
    ...ProcessConfig,
    ...StoreConfig,
  }),
  async run(config) {
    const found = await findAnySae(openStore(config), config.sae)
    await startProcessEngine(config)
    const { tf } = await import('../../engine/tf.ts')
    const { positionsOf, rowsOf } = await import('../../sae/measure/reference.ts')
    const { measureRows } = await import('../../sae/measure/row-quality.ts')
    const sae = await openAnySae(found)
    const path = resolve(config.rows)
    const tensorOf = async (tensor: string, width: number) => {
      const rows = await rowsOf(path, { width, tensor })
      return tf.tensor2d(rows, [rows.length / width, width])
    }
    try {
      if (config.target === undefined && !reconstructs(sae))
        throw new UserError(`This ${sae.architecture} predicts another site than it reads.`, {
          fix: 'Name the tensor of what it has to predict with --target.',
        })
      const x = await tensorOf(config.tensor, sae.width)
      const target = config.target === undefined ? x : await tensorOf(config.target, sae.outputs)
      if (target.shape[0] !== x.shape[0])
        throw new UserError(
          `${config.tensor} in ${path} has ${x.shape[0]} rows, and ${config.target} has ${target.shape[0]}.`,
          { fix: 'Give a row to predict for each row that is read.' },
        )
      const quality = measureRows(sae, x, target, await positionsOf(path, config.tensor, sae.width))
      tf.dispose([x, target])
      return { text: qualityText(sae, quality), json: quality }
    } finally {
      sae.dispose()
    }
  },
})

function qualityText({ architecture, latents }: Sae, quality: RowQuality): string {
  const short = (value: number | null) => value?.toPrecision(6) ?? 'none'
  const spread = (name: string, { mean, p99 }: Spread) => [name, short(mean), short(p99)]
  return [
    `${quality.rows} rows, ${architecture}, ${latents} latents`,
    `FVU ${quality.fvu === null ? 'none, since the rows do not vary' : short(quality.fvu)}, cosine similarity ${short(quality.cosine)}, ${quality.dead} dead latents`,
    ...columns(
      [
        ['', 'mean', '99th percentile'],
        spread('error of a row', quality.rowError),
        spread('relative error of a row', quality.rowRelativeError),
        spread('latents a row (L0)', quality.rowL0),
      ],
      [1, 2],
    ),
  ].join('\n')
}
