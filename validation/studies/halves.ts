/**
 * Do halves of the documents say the same? The documents of the primary intervention are dealt into two halves again and
 * again, those of tied controls likewise, and each half is held to the rule by itself. Nothing is measured anew: this
 * is what a second study of half the size, on the same text, would have found. Halvings share documents, so
 * that their counts have no interval.
 */
import { Random } from '../../core/random.ts'
import { mean } from '../../statistics/descriptive.ts'
import type { Halves } from '../contracts/halves.ts'
import { ruled } from '../judging/passes.ts'
import type { Sample } from '../judging/rule.ts'
import { type Grouped, groupRows, isPaired } from '../judging/values.ts'
import { fewestDocuments } from '../rows.ts'
import { latentStudy, type StudySettings, type TestedLatent } from './study.ts'

const halvings = 20
/** Halvings of which both halves, or none, must pass for the documents to be said to agree. */
const agreeing = 0.8

export const halves = latentStudy<never, Halves>({
  name: 'halves',
  question: 'Do halves of the documents say the same?',
  byDefault: true,
  definitions: {
    both: 'halvings of the documents, and of the tied controls’ documents, of which both halves pass by the rule of causal claims; neither: of which none does',
    effectiveAlpha: 'level of the rank: what the other claims leave of alpha, as in the main test',
    lowest:
      'smallest effect of a half beyond the mean control of the hardest kind, as claimed, nats; highest: the largest',
    finding:
      'replicates where both halves pass in at least 16 of 20 halvings, in-neither-half where none does in as many',
  },
  columns: {},
  measure: async () => [],
  judge: (tested, settings) => tested.map(one => judgeOne(one, settings)),
})

function judgeOne({ claim, effects, evidence }: TestedLatent<never>, settings: StudySettings): Halves | null {
  const { primary, feature, direction, dose } = claim
  const grouped = groupRows(effects, primary, primary === 'ablate' ? 0 : dose)
  const n = grouped.documents.length
  if (n < 2 * fewestDocuments || grouped.controls.size === 0) return null
  const { alpha, smallestEffect, seed } = settings
  const effectiveAlpha = evidence[primary]?.power?.effectiveAlpha ?? alpha
  const rule = { alpha, smallestEffect, effectiveAlpha }
  const counts = [0, 0, 0]
  const beyond: number[] = []
  let sameSign = 0
  for (let halving = 0; halving < halvings; halving++) {
    const random = new Random(seed, 'halves', feature, halving)
    const [first, second] = halve(grouped, direction === 'decrease' ? -1 : 1, random).map(half =>
      ruled(half, rule),
    ) as [ReturnType<typeof ruled>, ReturnType<typeof ruled>]
    counts[Number(first.passes) + Number(second.passes)]!++
    beyond.push(first.beyond, second.beyond)
    if (first.beyond > 0 && second.beyond > 0) sameSign++
  }
  const [neither, one, both] = counts as [number, number, number]
  return {
    documents: [Math.ceil(n / 2), Math.floor(n / 2)],
    effectiveAlpha,
    halvings,
    both,
    one,
    neither,
    sameSign: sameSign / halvings,
    lowest: Math.min(...beyond),
    highest: Math.max(...beyond),
    finding:
      both >= agreeing * halvings
        ? 'replicates'
        : neither >= agreeing * halvings
          ? 'in-neither-half'
          : 'depends-on-documents',
  }
}

/** Both halves as the rule asks for them: paired controls go with the latent's documents, tied ones with halves of their own. */
function halve({ own, controls }: Grouped, sign: number, random: Random): [Sample, Sample] {
  const dealt = deal(own.target.length, random)
  const of = (values: readonly number[], places: readonly number[]) => Float64Array.from(places, i => sign * values[i]!)
  const kinds = [...controls].map(([kind, each]): [Sample['kinds'][number], Sample['kinds'][number]] => {
    if (isPaired(kind)) {
      const [first, second] = dealt.map(places => ({ paired: each.map(({ target }) => of(target, places)) }))
      return [first!, second!]
    }
    const parts = each.map(({ target }) => deal(target.length, random).map(places => of(target, places)))
    const means = (which: 0 | 1) =>
      Float64Array.from(parts.flatMap(part => (part[which]!.length > 0 ? [mean(part[which]!)] : [])))
    return [{ means: means(0) }, { means: means(1) }]
  })
  return [
    { own: of(own.target, dealt[0]), kinds: kinds.map(([first]) => first) },
    { own: of(own.target, dealt[1]), kinds: kinds.map(([, second]) => second) },
  ]
}

/** The places of n documents in two halves; the first has one more where n is odd. */
function deal(n: number, random: Random): [number[], number[]] {
  const order = random.shuffle(Array.from({ length: n }, (_, i) => i))
  return [order.slice(0, Math.ceil(n / 2)), order.slice(Math.ceil(n / 2))]
}
