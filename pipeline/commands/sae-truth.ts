/** `pipeline sae truth`: SAEs learn a world whose features are known, and are measured against them. */
import { columns } from '../../core/text.ts'
import { truthPresets } from '../../sae/truth/config.ts'
import { publishedRows } from '../../sae/truth/published.ts'
import type { TruthSummary } from '../../sae/truth/stage.ts'
import type { CommandDefinition } from '../command.ts'
import type { StageResult } from '../stages/perform.ts'
import stage from '../stages/truth.ts'
import { stageCommand } from './stage-command.ts'

const command = stageCommand(stage, {
  examples: [
    'pipeline sae truth',
    'pipeline sae truth --preset synthsaebench-16k-short --precision bf16',
    'pipeline sae truth --architecture topk --k 8',
  ],
})

/** A row for each SAE, and the published ones below. */
export function truthTable({ preset, results }: TruthSummary): string {
  const millions = (samples: number) => `${(samples / 1e6).toLocaleString('en', { maximumFractionDigits: 2 })}M`
  const ours = results.map(({ architecture, samples, f1, mcc, uniqueness, explainedVariance, l0, dead }) => [
    architecture,
    millions(samples),
    ...[f1, mcc, uniqueness, explainedVariance].map(value => value?.toFixed(4) ?? 'none'),
    l0?.toFixed(2) ?? 'none',
    String(dead),
  ])
  const theirs = publishedRows.map(({ name, samples, f1, mcc, uniqueness, explainedVariance }) => [
    `${name}, published`,
    millions(samples),
    ...[f1, mcc, uniqueness, explainedVariance].map(value => value.toFixed(4)),
    '25',
    '',
  ])
  const heads = ['SAE', 'samples', 'F1', 'MCC', 'unique', 'EV', 'L0', 'dead']
  const rows = [heads, ...ours, ...(truthPresets[preset].published ? theirs : [])]
  return columns(rows, [1, 2, 3, 4, 5, 6, 7]).join('\n')
}

const truth: CommandDefinition = {
  ...command,
  async run(config, session) {
    const outcome = await command.run(config, session)
    const { summary } = outcome.json as StageResult
    return { ...outcome, text: `${outcome.text}\n\n${truthTable(summary as TruthSummary)}` }
  },
}

export default truth
