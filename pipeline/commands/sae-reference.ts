/** `pipeline sae reference`: what an SAE computes, written down for other programs to compare with. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'
import { checkDestination, placeOf } from '../../core/destination.ts'
import { UserError } from '../../core/errors.ts'
import { defineCommand } from '../command.ts'
import { openStore, ProcessConfig, StoreConfig, startProcessEngine } from '../stages/common.ts'
import { findAnySae, openAnySae } from '../stages/sae.ts'

export default defineCommand({
  about:
    'Encodes and decodes rows with an SAE and writes x, latents and reconstruction into a safetensors file, the form that sae verify and docs/verify_export.py compare with.',
  examples: [
    'pipeline sae reference --sae run42 --output expected.safetensors',
    'pipeline sae reference --sae run42 --rows activations.safetensors --output expected.safetensors',
  ],
  operands: ['sae'],
  config: z.strictObject({
    sae: z.string().describe('Run or directory of the SAE'),
    output: z.string().describe('Safetensors file to write, which is not there yet'),
    rows: z
      .string()
      .default('random')
      .describe('Safetensors file with rows of the site; or random, normal about the decoder bias'),
    tensor: z.string().default('x').describe('Tensor of that file, [rows, width]'),
    count: z.int().min(1).default(256).describe('Rows, at most'),
    seed: z.int().min(0).default(0).describe('Seed of random rows'),
    ...ProcessConfig,
    ...StoreConfig,
  }),
  async run(config) {
    const path = placeOf('output', config.output)
    await checkDestination(path)
    if (existsSync(path))
      throw new UserError(`${path} is there already, and a reference replaces nothing.`, {
        fix: 'Give --output another name, or remove the file.',
      })
    const found = await findAnySae(openStore(config), config.sae)
    await startProcessEngine(config)
    const { randomRows, rowsOf, writeReference } = await import('../../sae/measure/reference.ts')
    const sae = await openAnySae(found)
    try {
      const rows =
        config.rows === 'random'
          ? await randomRows(sae, config.count, config.seed)
          : await rowsOf(resolve(config.rows), { width: sae.width, tensor: config.tensor, count: config.count })
      const written = await writeReference(path, sae, rows)
      return {
        text: `${written.rows} rows, ${written.l0.toFixed(1)} latents a row, are in ${path}.`,
        json: { path, architecture: sae.architecture, ...written },
      }
    } finally {
      sae.dispose()
    }
  },
})
