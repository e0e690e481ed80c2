/** `pipeline sae truth`: SAEs learn a world whose features are known, and are measured against them. */
import type { StageContext } from '../../core/stage.ts'
import { columns } from '../../core/text.ts'
import { truthPresets } from '../../sae/truth/config.ts'
import { publishedRows } from '../../sae/truth/published.ts'
import { fillTruth, resolveTruth, TruthConfig } from '../../sae/truth/settings.ts'
import type { TruthSummary } from '../../sae/truth/stage.ts'
import type { CommandDefinition } from '../command.ts'
import { defineStage, ownConfig, type StageResult } from '../stages/stage.ts'

const stage = defineStage({
  stage: 'truth',
  about:
    'Trains SAEs on samples of a synthetic world whose features are known, and says how many of them each has found: F1, MCC, uniqueness, explained variance. Samples are drawn as they are needed and never stored.',
  examples: [
    'pipeline sae truth',
    'pipeline sae truth --preset synthsaebench-16k-short --precision bf16',
    'pipeline sae truth --architecture topk --k 8',
  ],
  config: TruthConfig,
  inputs: {},
  async prepare(config) {
    const settings = fillTruth(ownConfig(TruthConfig, config))
    resolveTruth(settings)
    return {
      config: settings,
      inputs: [],
      async work(context: StageContext) {
        const { truthStage } = await import('../../sae/truth/stage.ts')
        return truthStage(context, settings)
      },
    }
  },
})

/** A row for each SAE, and the published ones below. */
export function truthTable({ preset, results }: TruthSummary): string {
  const millions = (samples: number) => `${(samples / 1e6).toLocaleString('en', { maximumFractionDigits: 2 })}M`
  const ours = results.map(({ architecture, samples, f1, mcc, uniqueness, explained_variance, l0, dead }) => [
    architecture,
    millions(samples),
    ...[f1, mcc, uniqueness, explained_variance].map(value => value.toFixed(4)),
    l0.toFixed(2),
    String(dead),
  ])
  const theirs = publishedRows.map(({ name, samples, f1, mcc, uniqueness, explained_variance }) => [
    `${name}, published`,
    millions(samples),
    ...[f1, mcc, uniqueness, explained_variance].map(value => value.toFixed(4)),
    '25',
    '',
  ])
  const heads = ['SAE', 'samples', 'F1', 'MCC', 'unique', 'EV', 'L0', 'dead']
  const rows = [heads, ...ours, ...(truthPresets[preset].published ? theirs : [])]
  return columns(rows, [1, 2, 3, 4, 5, 6, 7]).join('\n')
}

const truth: CommandDefinition = {
  ...stage,
  async run(config, session) {
    const outcome = await stage.run(config, session)
    const { summary } = outcome.json as StageResult
    return { ...outcome, text: `${outcome.text}\n\n${truthTable(summary as TruthSummary)}` }
  },
}

export default truth
