/** Figures of each stage's summary that one looks at first: where several runs stand together, these stand there. */
export const firstFigures = {
  capture: ['rows', 'strata', 'shards'],
  train: ['latents', 'l0', 'fvu', 'dead', 'ceRecovered'],
  import: ['architecture', 'width', 'latents', 'site'],
  validate: ['passed', 'failed', 'inconclusive', 'fvu', 'ceRecoveredMean'],
  label: ['alive', 'labelled', 'meanF1'],
  report: ['features', 'bytes'],
  drift: ['drifted', 'tested', 'composition'],
  truth: ['preset'],
} as const satisfies Readonly<Record<string, readonly string[]>>

/** Names and values of a summary that stand in a list of runs, most wanted first; of a stage without such, its first ones. */
export function figuresFirst(stage: string, summary: Readonly<Record<string, unknown>>): [string, unknown][] {
  const known = Object.entries(summary).filter(([, value]) => value !== null && typeof value !== 'object')
  const names: readonly string[] = Object.hasOwn(firstFigures, stage)
    ? firstFigures[stage as keyof typeof firstFigures]
    : []
  const chosen = names.flatMap(name => known.filter(([key]) => key === name))
  return chosen.length > 0 ? chosen : known.slice(0, 3)
}
