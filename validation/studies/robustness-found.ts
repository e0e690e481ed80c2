/** From the rows of the study `robustness` to what stands in evidence. A pure function. */
import { clusteredAuroc } from '../../statistics/association/clustered-auroc.ts'
import { mean } from '../../statistics/descriptive.ts'
import { studentQuantile } from '../../statistics/distributions/student.ts'
import { jackknifeErrorOf } from '../../statistics/intervals/jackknife.ts'
import type { Ratio } from '../contracts/common.ts'
import type { Robustness } from '../contracts/robustness.ts'
import { meanInterval } from '../judging/interval.ts'
import { ratioOfMeans } from './ratio.ts'
import type { StudySettings, TestedLatent } from './study.ts'

/** An effect on a changed window, or what the latent does in one beside its concept's labels. */
export interface RobustnessRow {
  readonly [key: string]: number | string | null | readonly number[]
  readonly part: 'effect' | 'activation'
  /** `as-is`, or how the text was changed. */
  readonly shift: string
  readonly document: string
  readonly window: string
  readonly control: string | null
  readonly controlId: number | null
  readonly target: number | null
  /** Positions at which the latent is active. */
  readonly active: number
  /** Tokens after position 0, and of these the active ones, their activations and those that carry the concept. */
  readonly tokens: number
  readonly positions: readonly number[]
  readonly activations: readonly number[]
  readonly labelled: readonly number[]
}

/** Share of an effect that must be left. */
const keptShare = 0.5

/** Findings of each latent; null where nothing was measured. */
export function judgeRobustness(
  tested: readonly Pick<TestedLatent<RobustnessRow>, 'claim' | 'rows'>[],
  settings: Pick<StudySettings, 'alpha'>,
): (Robustness | null)[] {
  return tested.map(({ claim, rows }) => ofLatent(claim.direction === 'decrease' ? -1 : 1, rows, settings.alpha))
}

function ofLatent(sign: number, rows: readonly RobustnessRow[], alpha: number): Robustness | null {
  const effects = rows.filter(({ part }) => part === 'effect')
  const asIs = effects.filter(({ shift }) => shift === 'as-is')
  const kinds = [...new Set(asIs.flatMap(({ control }) => (control && control !== 'feature' ? [control] : [])))]
  if (kinds.length === 0) return null
  const bases = kinds.map(kind => ({ kind, own: differences(asIs, kind, sign) }))
  const hardest = bases.reduce((worst, one) =>
    mean([...one.own.values()]) < mean([...worst.own.values()]) ? one : worst,
  )
  const names = [...new Set(effects.map(({ shift }) => shift))].filter(name => name !== 'as-is')
  // All intervals hold at once.
  const level = 1 - alpha / Math.max(1, names.length)
  const activity = rows.filter(({ part }) => part === 'activation')
  const shifts = names.map(name => {
    const own = effects.filter(({ shift }) => shift === name)
    return {
      ...effectOf(own, name, { kind: hardest.kind, base: hardest.own, sign, level }),
      ...aurocOf(activity, name, level),
    }
  })
  const known = shifts.filter(({ ratio }) => ratio !== null)
  const worst = known.reduce<(typeof known)[number] | undefined>(
    (least, one) => (!least || one.ratio!.ratio < least.ratio!.ratio ? one : least),
    undefined,
  )
  const interval = meanInterval([...hardest.own.values()], 1 - alpha)
  return {
    control: hardest.kind,
    controls: new Set(asIs.flatMap(row => (row.control === hardest.kind ? [row.controlId] : []))).size,
    asIs: {
      difference: interval.mean!,
      low: interval.low,
      high: interval.high,
      auroc:
        areaOf(
          activity.filter(({ shift }) => shift === 'as-is'),
          1 - alpha,
        )?.estimate ?? null,
    },
    shifts,
    worst: worst?.shift ?? null,
  }
}

/** By document the latent's effect less the mean control's, as claimed. */
function differences(rows: readonly RobustnessRow[], kind: string, sign: number): Map<string, number> {
  const own = new Map<string, number[]>()
  const controls = new Map<string, number[]>()
  for (const { document, control, target } of rows) {
    const into = control === 'feature' ? own : control === kind ? controls : undefined
    if (!into) continue
    const values = into.get(document)
    if (values) values.push(target!)
    else into.set(document, [target!])
  }
  return new Map(
    [...own].map(([document, values]) => [document, sign * (mean(values) - mean(controls.get(document)!))]),
  )
}

interface Against {
  readonly kind: string
  readonly base: ReadonlyMap<string, number>
  readonly sign: number
  readonly level: number
}

function effectOf(rows: readonly RobustnessRow[], shift: string, { kind, base, sign, level }: Against) {
  const own = differences(rows, kind, sign)
  const documents = [...own.keys()]
  const values = [...own.values()]
  const interval = meanInterval(values, level)
  const ratio = ratioOfMeans(
    values,
    documents.map(document => base.get(document)!),
    level,
  )
  const active = new Set(rows.flatMap(row => (row.active > 0 ? [row.document] : []))).size
  const kept: 'yes' | 'no' | 'unclear' =
    ratio === null ? 'unclear' : ratio.low >= keptShare ? 'yes' : ratio.high < keptShare ? 'no' : 'unclear'
  return {
    ...{ shift, documents: documents.length, active, ratio, kept },
    ...{ difference: interval.mean, low: interval.low, high: interval.high },
  }
}

function aurocOf(rows: readonly RobustnessRow[], name: string, level: number) {
  const changed = rows.filter(({ shift }) => shift === name)
  const windows = new Set(changed.map(({ window }) => window))
  const asIs = rows.filter(row => row.shift === 'as-is' && windows.has(row.window))
  const [there, here] = [areaOf(changed, level), areaOf(asIs, level)]
  return {
    auroc: there?.estimate ?? null,
    aurocRatio: there && here ? aurocRatio(changed, asIs, here.low, level) : null,
  }
}

function areaOf(rows: readonly RobustnessRow[], level: number) {
  const scores: number[] = []
  const labels: number[] = []
  const clusters: string[] = []
  for (const { document, tokens, positions, activations, labelled } of rows) {
    const active = new Map(positions.map((position, i) => [position, activations[i]!]))
    const carries = new Set(labelled)
    for (let position = 1; position <= tokens; position++) {
      scores.push(active.get(position) ?? 0)
      labels.push(carries.has(position) ? 1 : 0)
      clusters.push(document)
    }
  }
  return scores.length === 0 ? null : clusteredAuroc(scores, labels, clusters, level)
}

function aurocRatio(
  changed: readonly RobustnessRow[],
  asIs: readonly RobustnessRow[],
  low: number | null,
  level: number,
): Ratio | null {
  if (low === null || low <= 0.5) return null
  const share = (skip: string | null) => {
    const [there, here] = [changed, asIs].map(rows =>
      areaOf(
        rows.filter(({ document }) => document !== skip),
        level,
      ),
    )
    return there && here && here.estimate > 0.5 ? (there.estimate - 0.5) / (here.estimate - 0.5) : null
  }
  const ratio = share(null)
  const documents = [...new Set(asIs.map(({ document }) => document))]
  const error = jackknifeErrorOf(documents.map(share))
  if (ratio === null || error === null) return null
  const half = studentQuantile((1 + level) / 2, documents.length - 1) * error
  return { ratio, low: ratio - half, high: ratio + half }
}
