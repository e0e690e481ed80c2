/** Study: how many claims of SAEs that learned less, or nothing, would pass the same test. */
import { hasAny } from '../../core/sequence.ts'
import { type Draw, drawWindows } from '../../datasets/draw.ts'
import { measuredDraw, throwIfInterrupted } from '../../latents/activations.ts'
import { recentre } from '../../latents/projections.ts'
import type { BaselineSource } from '../baselines/baseline.ts'
import { type BaselineRow, measureBaseline } from '../baselines/claims.ts'
import { baselines } from '../baselines/index.ts'
import { inputCentre } from '../claims/tied.ts'
import { type BaselineName, type BaselinesFindings, baselineNames } from '../contracts/baselines.ts'
import { judgeBaselines } from '../judging/baselines.ts'
import { type StudyContext, saeStudy } from './study.ts'

const texts = Object.fromEntries(baselineNames.map(name => [name, baselines[name].text])) as Record<
  BaselineName,
  string
>

export const baselinesStudy = saeStudy<BaselineRow, BaselinesFindings>({
  name: 'baselines',
  question: 'Do more claims pass than of an SAE that learned less, or nothing?',
  byDefault: true,
  definitions: {
    share:
      'share of claims that pass by the rule of all verdicts; of a baseline over its draws, each a family of its own',
    difference: 'share of the SAE under test less that of the baseline, with Newcombe’s interval; claims are the units',
    together: 'the same of the claims of all baselines',
    ahead:
      'of a baseline: yes where the interval of the difference lies above 0, no where it lies below .1, else undecided; of all: no where it is no of any, yes where it is of all together and no single share is level or better',
  },
  columns: {
    ...{ baseline: 'string', repetition: 'int32', latent: 'int32', concept: 'string?', intervention: 'string' },
    ...{ dose: 'float64', documents: 'list<string>', own: 'list<float32>', tied: 'list<float32>' },
    ...{
      random: 'list<float32>',
      foreign: 'list<float32>',
      asked: 'list<int32>',
      auroc: 'float64?',
      aurocLow: 'float64?',
    },
    ...{ aurocHigh: 'float64?', aurocP: 'float64?', shuffles: 'int32' },
  },

  async measure(bench) {
    const { context, inputs, working, pause } = bench
    const { kinds, claims, repeats } = inputs.config.baselines
    const asked = baselineNames.filter(
      name => kinds === 'all' || (kinds === 'auto' ? baselines[name].byDefault : kinds.includes(name)),
    )
    const draws = asked.flatMap(name =>
      Array.from({ length: baselines[name].drawn ? repeats : 1 }, (_, repetition) => ({ name, repetition })),
    )
    const source = await sourceOf(bench)
    const rows: BaselineRow[] = []
    context.progress.start('Putting baselines to the same test', draws.length, 'SAEs')
    for (const [i, { name, repetition }] of draws.entries()) {
      await pause()
      const part = `baseline-${name}-${repetition}`
      const own = { ...bench, working: working.within(`${part}-parts`) }
      const wanted = { name, baseline: baselines[name], claims }
      rows.push(...(await working.part(part, () => measureBaseline(own, { ...source, repetition }, wanted))))
      context.progress.update(i + 1, name)
    }
    context.progress.finish()
    return rows
  },

  judge(rows, tested, settings) {
    const verdicts = tested.map(({ evidence }) => evidence.verdict)
    return judgeBaselines(rows, verdicts, texts, settings)
  },
})

/** What baselines are made of. */
async function sourceOf({ context, inputs, material }: StudyContext): Promise<Omit<BaselineSource, 'repetition'>> {
  const { discovery } = material.tied
  const { width, tokens, values } = discovery
  const sums = new Float64Array(width)
  for (let i = 0; i < values.length; i++) sums[i % width]! += values[i]!
  const own = inputCentre(material.sae)
  const centre = Float32Array.from(sums, (sum, j) => own[j]! + sum / tokens)
  const stop = () => throwIfInterrupted(context.signal)
  const { dataset, config } = inputs
  const { tokens: read } = config.baselines
  const training: Draw = { ...measuredDraw, purpose: 'baselines', split: 'train', seed: material.seed, tokens: read }
  const trains = await hasAny(dataset.windows, ({ split }) => split === 'train', stop)
  return {
    context,
    material,
    centre,
    values: recentre(discovery, own, centre),
    training: trains ? await drawWindows(dataset, training, stop) : discovery.windows,
    tokens: read,
  }
}
