/** What two captures differ in besides their rows, in sentences. */
import { figure } from '../../core/text.ts'
import type { CaptureManifest } from '../../datasets/shards/index.ts'

/** What differs between the captures besides their rows. */
export function differences(a: CaptureManifest, b: CaptureManifest): string[] {
  const facts = [
    ['models', a.model.hash, b.model.hash],
    ['tokenizers', a.tokenizer.hash, b.tokenizer.hash],
    ['allocations', a.sampling.allocation, b.sampling.allocation],
    ['seeds', String(a.seed), String(b.seed)],
    ['number formats', a.dtype, b.dtype],
  ] as const
  return [
    ...facts.flatMap(([what, first, second]) => (first === second ? [] : [`Their ${what} are different.`])),
    ...textNotes(a.dataset, b.dataset),
    ...copyNotes(a, b),
  ]
}

/** How the texts differ: by how they are cut into windows, as far as that is known, or by themselves. */
function textNotes(a: CaptureManifest['dataset'], b: CaptureManifest['dataset']): string[] {
  if (a.hash === b.hash) return []
  const settings = [
    ['context', a.context, b.context],
    ['packing', a.config?.packing, b.config?.packing],
    ['bos', a.bos, b.bos],
    ['seed of the splits', a.config?.seed, b.config?.seed],
    ['documents', a.documents, b.documents],
  ] as const
  const found = settings.flatMap(([name, first, second]) =>
    first === second || first === undefined || second === undefined ? [] : [`${name} ${first} and ${second}`],
  )
  if (found.length === 0) return ['Their texts are different.']
  return [`Their texts, or the windows that these are cut into, are different: ${found.join(', ')}.`]
}

/** Shares of rows that are of copies differ by more than this where it is said. */
const copiesApart = 0.01

/** How many of the rows are of copies of other documents, where that differs: each copy counts as a document here. */
function copyNotes(a: CaptureManifest, b: CaptureManifest): string[] {
  const [first, second] = [a, b].map(({ audit }) => audit?.documents.duplicates.rows)
  if (first === undefined || second === undefined || Math.abs(first - second) <= copiesApart) return []
  const percent = (share: number) => `${figure(100 * share)} %`
  return [
    `Copies of other documents give ${percent(first)} of the rows of the first and ${percent(second)} of the second; each counts as a document.`,
  ]
}
