/** `pipeline sae …`: whether SAEs and their training compute what they should, and what two of them have in common. */
import { z } from 'zod'
import { checkDestination, placeOf } from '../../core/destination.ts'
import { columns, shortPath } from '../../core/text.ts'
import type { Comparison, Places } from '../../sae/measure/compare.ts'
import type { Sae } from '../../sae/sae.ts'
import { defineCommand } from '../command.ts'
import { openStore, ProcessConfig, StoreConfig, startProcessEngine } from '../stages/common.ts'
import { findAnySae, openAnySae } from '../stages/sae.ts'

/** Exit code of a comparison that found a difference. */
const failedCode = 2

const short = (value: number) => value.toExponential(2)

export const verify = defineCommand({
  about:
    'Opens an SAE in any layout that is known, encodes and decodes the rows of a reference file, and compares latents and reconstruction with the values in it. Exit code 2 when a difference is beyond the tolerance.',
  examples: ['pipeline sae verify --sae ./their-sae --reference expected.safetensors'],
  operands: ['sae'],
  config: z.strictObject({
    sae: z.string().describe('Directory that a library wrote, or a run'),
    reference: z.string().describe('Safetensors file with x, latents and reconstruction, a row each'),
    tolerance: z
      .number()
      .positive()
      .default(1e-5)
      .describe('Largest difference that passes, in units of 1 plus the largest expected value'),
    ...ProcessConfig,
    ...StoreConfig,
  }),
  async run(config, session) {
    await startProcessEngine(config)
    const { agrees, verifySae } = await import('../../sae/parity/sae.ts')
    const { directory } = await findAnySae(openStore(config), config.sae)
    const report = await verifySae(directory, config.reference)
    for (const notice of report.notices) session.progress.note(notice)
    const passed = agrees(report, config.tolerance)
    const lines = [
      ...columns(
        [
          [`${report.rows} rows, ${report.architecture}`, 'difference', 'largest value'],
          ['latents', short(report.latents), short(report.scale.latents)],
          ['reconstruction', short(report.reconstruction), short(report.scale.reconstruction)],
        ],
        [1, 2],
      ),
      `${passed ? 'Within' : 'Beyond'} the tolerance of ${short(config.tolerance)}.`,
    ]
    return { text: lines.join('\n'), json: { ...report, passed }, exitCode: passed ? 0 : failedCode }
  },
})

export const verifyTraining = defineCommand({
  about:
    'Replays training steps that SAELens, dictionary_learning or sparsify took, from the same weights on the same rows, and compares every loss and the final weights. Exit code 2 when a relative difference is beyond the tolerance.',
  examples: ['pipeline sae verify-training --reference saelens-topk.safetensors'],
  operands: ['reference'],
  config: z.strictObject({
    reference: z.string().describe('Safetensors file of recorded steps, with its JSON beside it (docs/sae.md)'),
    tolerance: z.number().positive().default(1e-4).describe('Largest relative difference that passes'),
    ...ProcessConfig,
  }),
  async run(config) {
    await startProcessEngine(config)
    const { verifyTraining: replay } = await import('../../sae/parity/training.ts')
    const report = await replay(config.reference)
    const passed = report.largest <= config.tolerance
    const rows = (differences: Record<string, number>) =>
      Object.entries(differences).map(([name, difference]) => [name, short(difference)])
    const lines = [
      ...columns(
        [
          [`${report.steps} steps, ${report.architecture}`, 'relative difference'],
          ...rows(report.losses),
          ...rows(report.weights),
        ],
        [1],
      ),
      `Largest ${short(report.largest)}, ${passed ? 'within' : 'beyond'} the tolerance of ${short(config.tolerance)}.`,
    ]
    return { text: lines.join('\n'), json: { ...report, passed }, exitCode: passed ? 0 : failedCode }
  },
})

export const compare = defineCommand({
  about:
    'Matches the latents of two SAEs of one site, one to one, by the cosine of their decoder rows: the mean (MCC), the share of latents that both have, and the same share when the coordinates of one are permuted.',
  examples: [
    'pipeline sae compare train-calm-heron-3f2a train-bold-otter-91c0',
    'pipeline sae compare run42 run43 --output stability.parquet',
  ],
  operands: ['a', 'b'],
  config: z.strictObject({
    a: z.string().describe('Run or directory of the first SAE'),
    b: z.string().describe('Run or directory of the second SAE'),
    threshold: z.number().min(0).max(1).default(0.7).describe('Cosine from which on two latents are one'),
    draws: z.int().min(0).default(19).describe('Permutations of the null'),
    seed: z.int().min(0).default(0).describe('Seed of the permutations'),
    output: z
      .string()
      .optional()
      .describe('Parquet file to write: for each latent of the first SAE its partner and their cosine'),
    ...ProcessConfig,
    ...StoreConfig,
  }),
  async run(config, { signal }) {
    const output = config.output === undefined ? undefined : placeOf('output', config.output)
    if (output !== undefined) await checkDestination(output)
    await startProcessEngine(config)
    const { compareSaes, placesOf } = await import('../../sae/measure/compare.ts')
    const { writeStability } = await import('../../sae/measure/stability.ts')
    const store = openStore(config)
    const saes: Sae[] = []
    try {
      for (const name of [config.a, config.b]) saes.push(await openAnySae(await findAnySae(store, name)))
      const [a, b] = saes as [Sae, Sae]
      const places = placesOf(a, b)
      const comparison = await compareSaes(a, b, { ...config, signal })
      if (output !== undefined) await writeStability(output, comparison, { a: a.hash, b: b.hash, places })
      const { match, stability, ...figures } = comparison
      return {
        text: comparisonText(comparison, places, output),
        json: {
          ...figures,
          ...places,
          // As in the table: a latent without a partner has neither match nor cosine.
          match: Array.from(match, j => (j < 0 ? null : j)),
          stability: Array.from(stability, (cosine, i) => (match[i]! < 0 ? null : cosine)),
          ...(output === undefined ? {} : { output }),
        },
      }
    } finally {
      for (const sae of saes) sae.dispose()
    }
  },
})

function comparisonText(comparison: Comparison, { notices }: Places, output: string | undefined): string {
  const { mcc, mccBound, shared, threshold, null: permuted, p, exact, zeroRows } = comparison
  const zeros = zeroRows.flatMap((count, i) =>
    count === 0 ? [] : [`${count} decoder rows of the ${['first', 'second'][i]} SAE are 0: they match nothing.`],
  )
  return [
    ...notices,
    ...zeros,
    ...columns([
      ['mean cosine of matches (MCC)', mcc.toFixed(4)],
      [`share with cosine ≥ ${threshold}`, shared.toFixed(4)],
      ['largest share by permutation', permuted.length > 0 ? Math.max(...permuted).toFixed(4) : 'not drawn'],
      ['p', p?.toFixed(4) ?? 'none'],
      ...(exact ? [] : [['no matching has a larger mean than', mccBound.toFixed(4)]]),
      ['matching', exact ? 'exact' : 'by auction, since there are more than 16,384 latents'],
      ...(output === undefined ? [] : [['stability of each latent', shortPath(output)]]),
    ]),
  ].join('\n')
}
