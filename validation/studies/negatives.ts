/**
 * Study: hard negatives. AUROC among all tokens is easy: most of them are nothing like the concept. Here the latent must tell it
 * from the tokens that are: the same words in another sense, and those that a direction which was told the answer (the difference
 * of means on discovery text) takes for it.
 */
import { activationsIn, firstPosition } from '../../latents/activations.ts'
import { auroc } from '../../statistics/association/auroc.ts'
import { clusteredAuroc } from '../../statistics/association/clustered-auroc.ts'
import { quantile } from '../../statistics/descriptive.ts'
import { conceptRows } from '../claims/concepts.ts'
import type { HardNegatives } from '../contracts/negatives.ts'
import { differenceOfMeans } from '../supervised/difference-of-means.ts'
import { latentStudy, type StudySettings } from './study.ts'

type Row = {
  readonly document: string
  readonly window: string
  /** Activations at tokens with the concept, and at those without it: all, those of the same tokens, and the nearest. */
  readonly positives: readonly number[]
  readonly negatives: readonly number[]
  readonly sameToken: readonly number[]
  readonly nearest: readonly number[]
}

/** The share of negatives that counts as nearest. */
const nearestShare = 0.1

export const negatives = latentStudy<Row, HardNegatives>({
  name: 'negatives',
  question: 'Does the latent tell its concept from what is most like it?',
  byDefault: false,
  definitions: {
    sameToken: 'AUROC against tokens without the concept whose token id occurs with it in validation text, too',
    nearest:
      'AUROC against the tenth of the tokens without it that lie farthest along the difference of means, which discovery text gave',
    share: '(AUROC − ½) by that among all tokens',
    told: 'true where the interval over documents lies above ½, false where it lies below minimumAuroc, otherwise null',
  },
  columns: {
    document: 'string',
    window: 'string',
    positives: 'list<float32>',
    negatives: 'list<float32>',
    sameToken: 'list<float32>',
    nearest: 'list<float32>',
  },

  async measure({ material }, plan) {
    const { concept, claim, target } = plan
    if (concept < 0 || claim.discovery.unit === 0) return []
    const { text, validation, tied } = material
    const labels = text.validationLabels
    const direction = differenceOfMeans.learn({
      material,
      target,
      values: tied.discovery,
      labels: conceptRows(text.discoveryLabels, concept),
    })
    if (!direction) return []
    const carries = conceptRows(labels, concept)
    const { width, values } = tied.validation
    const along = Float64Array.from(carries, (_, row) =>
      direction.reduce((sum, x, j) => sum + x * values[row * width + j]!, 0),
    )
    const without = [...along].filter((_, row) => !carries[row])
    if (without.length === 0 || without.length === carries.length) return []
    const far = quantile(without, 1 - nearestShare)
    const words = new Set<number>()
    labels.windows.forEach(({ tokens }, w) => {
      for (let p = firstPosition; p < tokens.length; p++)
        if (carries[labels.rowStart[w]! + p - firstPosition]) words.add(tokens[p]!)
    })
    return labels.windows.map((window, w) => {
      const active = activationsIn(validation, claim.feature, w)
      const found: Record<'positives' | 'negatives' | 'sameToken' | 'nearest', number[]> = {
        ...{ positives: [], negatives: [], sameToken: [], nearest: [] },
      }
      for (let p = firstPosition; p < window.tokens.length; p++) {
        const row = labels.rowStart[w]! + p - firstPosition
        const value = Math.fround(active.get(p) ?? 0)
        if (carries[row]) {
          found.positives.push(value)
          continue
        }
        found.negatives.push(value)
        if (words.has(window.tokens[p]!)) found.sameToken.push(value)
        if (along[row]! >= far) found.nearest.push(value)
      }
      return { document: material.unitOf(window), window: window.id, ...found }
    })
  },

  judge: (tested, settings) => tested.map(({ rows }) => (rows.length === 0 ? null : findingsOf(rows, settings))),
})

function findingsOf(rows: readonly Row[], settings: StudySettings): HardNegatives {
  const positives = rows.flatMap(row => row.positives)
  const negatives = rows.flatMap(row => row.negatives)
  const whole = auroc([...positives, ...negatives], [...positives.map(() => 1), ...negatives.map(() => 0)])
  const all = Number.isNaN(whole) ? null : whole
  const sameToken = against(rows, 'sameToken', all, settings)
  const nearest = against(rows, 'nearest', all, settings)
  const told = [sameToken.told, nearest.told]
  return {
    ...{ positives: positives.length, all, sameToken, nearest },
    told: told.includes(false) ? false : told.includes(null) ? null : true,
  }
}

function against(
  rows: readonly Row[],
  kind: 'sameToken' | 'nearest',
  all: number | null,
  { alpha, minimumAuroc }: StudySettings,
): HardNegatives['nearest'] {
  const [scores, labels, documents]: [number[], number[], string[]] = [[], [], []]
  for (const row of rows)
    for (const [label, values] of [
      [1, row.positives],
      [0, row[kind]],
    ] as const)
      for (const value of values) {
        scores.push(value)
        labels.push(label)
        documents.push(row.document)
      }
  const negatives = rows.filter(row => row[kind].length > 0)
  const found = scores.length === 0 ? null : clusteredAuroc(scores, labels, documents, 1 - alpha)
  const [low, high] = [found?.low ?? null, found?.high ?? null]
  return {
    tokens: negatives.reduce((sum, row) => sum + row[kind].length, 0),
    documents: new Set(negatives.map(({ document }) => document)).size,
    ...{ auroc: found?.estimate ?? null, low, high },
    share: found && all !== null && all > 0.5 ? (found.estimate - 0.5) / (all - 0.5) : null,
    told: high !== null && high < minimumAuroc ? false : low !== null && low > 0.5 ? true : null,
  }
}
