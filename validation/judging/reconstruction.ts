/**
 * What the SAE keeps of its site, from the sums that were kept: of all text, of each stratum and each band of positions, and how far
 * two SAEs must differ on as much text before it means anything.
 */
import { Random } from '../../core/random.ts'
import { figuresOf, type ReconstructionRow } from '../../latents/reconstruction-rows.ts'
import { smallestReliableDifference } from '../../statistics/intervals/reliable-difference.ts'

/** Sums of a window and band, with the document and the strata that the window is of, as `field=value`. */
export type StratifiedRow = ReconstructionRow & { readonly document: string; readonly strata: readonly string[] }

/** What figures need beside rows. */
export interface ReconstructionSource {
  readonly latents: number
  readonly width: number
  readonly meanFrom: string
}

/** Figures that are given of parts of the text, by name. */
const partFigures = [
  ...(['fvu', 'cosine', 'l2Ratio', 'relativeBias', 'l0', 'dead', 'ceClean', 'ceSpliced'] as const),
  ...(['ceRecoveredZero', 'ceRecoveredMean', 'ceRecoveredResample'] as const),
  ...(['klRecoveredZero', 'klRecoveredMean', 'klRecoveredResample'] as const),
] as const
/** Figures of which the smallest reliable difference is given. */
const repeatedFigures = [
  ...([
    'fvu',
    'l2Ratio',
    'l0',
    'ceRecoveredZero',
    'ceRecoveredMean',
    'ceRecoveredResample',
    'klRecoveredMean',
  ] as const),
] as const
/** Parts that documents are dealt to: each measures the SAE on text of its own. */
const folds = 5

/** What each further figure is, by name. */
export const reconstructionPartDefinitions: Readonly<Record<string, string>> = {
  parts:
    'the same figures of the windows that open with a document of a stratum, and of the positions of a band; FVU of a part is its Σ‖x − x̂‖² by its Σ‖x − x̄‖² about the mean of all rows',
  folds: 'the figure in five parts of the documents, which are dealt by lot',
  smallestReliableDifference:
    't · √2 · s / √5 over these parts at level .95: SAEs of the site that differ by less on as much text of this kind do not differ',
}

/** Everything that evidence says of the reconstruction. */
export function judgeReconstruction(
  rows: readonly StratifiedRow[],
  { latents, width, meanFrom }: ReconstructionSource,
  seed: number,
) {
  const size = { latents, width }
  const partOf = (part: readonly StratifiedRow[]) => {
    const figures = figuresOf(part, size)
    return {
      tokens: figures.rows,
      documents: new Set(part.map(({ document }) => document)).size,
      ...Object.fromEntries(partFigures.map(name => [name, figures[name]])),
    }
  }
  const by = (keysOf: (row: StratifiedRow) => readonly string[]) => {
    const groups = new Map<string, StratifiedRow[]>()
    for (const row of rows)
      for (const key of keysOf(row)) {
        const own = groups.get(key)
        if (own) own.push(row)
        else groups.set(key, [row])
      }
    return [...groups]
  }
  const whole = figuresOf(rows, size)
  return {
    windows: new Set(rows.map(({ window }) => window)).size,
    ...whole,
    density: Array.from(whole.density),
    width,
    meanFrom,
    strata: by(({ strata }) => strata)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([stratum, part]) => ({ stratum, ...partOf(part) })),
    positions: by(({ band }) => [band]).map(([band, part]) => ({ positions: band, ...partOf(part) })),
    reliability: reliabilityOf(rows, size, seed),
  }
}
export type ReconstructionFound = ReturnType<typeof judgeReconstruction>

/** Figures of disjoint parts of the documents; null where there are fewer documents than parts. */
function reliabilityOf(
  rows: readonly StratifiedRow[],
  size: Pick<ReconstructionSource, 'latents' | 'width'>,
  seed: number,
) {
  const documents = [...new Set(rows.map(({ document }) => document))]
  if (documents.length < folds) return null
  const order = new Random(seed, 'folds').shuffle(documents)
  const foldOf = new Map(order.map((document, i) => [document, i % folds]))
  const each = Array.from({ length: folds }, (_, fold) =>
    figuresOf(
      rows.filter(({ document }) => foldOf.get(document) === fold),
      size,
    ),
  )
  return Object.fromEntries(
    repeatedFigures.map(name => {
      const values = each.map(figures => figures[name])
      const known = values.filter(value => value !== null)
      const difference = known.length < folds ? null : smallestReliableDifference(known)
      return [name, { folds: values, smallestReliableDifference: difference }]
    }),
  )
}
