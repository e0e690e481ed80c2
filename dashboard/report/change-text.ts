/** What would give a claim another tier, in words: the value that would have to be another. HTML. */
import type { Change } from '../../validation/evidence.ts'
import { short } from '../charts/index.ts'
import { shown } from '../html.ts'
import { controlNames } from './claim-text.ts'

const actOf = (name: string) => (name === 'ablate' ? 'ablation' : 'steering')

/** How the values at which a tier hangs are called, by their places; what is at none of them is called by its place. */
const names: readonly (readonly [RegExp, (change: Change, found: readonly string[]) => string])[] = [
  [
    /^\w+\.metrics\.target\.controls\.(\w+)$/,
    ({ to }, [, kind]) =>
      `the claimed effect beyond ${controlNames[kind!] ?? kind}, ${to === 'underdetermined' ? 'at most' : 'at least'}, nats,`,
  ],
  [/^(ablate|steer)\.test\.q$/, (_, [, act]) => `q of ${actOf(act!)}`],
  [
    /^(ablate|steer)\.metrics\.target\.effect\.(low|high)$/,
    (_, [, act, end]) => `the ${end} end of the effect of ${actOf(act!)}, nats,`,
  ],
  [/^\w+\.power\.atSmallestEffect$/, () => 'the power to find the smallest effect of interest'],
  [/^claim\.documents\.\w+\.length$/, () => 'documents to measure on'],
  [/^studies\.transfer\.verdict$/, () => 'the verdict on other text (study transfer)'],
  [/^studies\.specificity\.isolated$/, () => 'whether other concepts’ targets are left alone (study specificity)'],
  [/^studies\.association\.finding$/, () => 'what the study association finds'],
  [
    /^studies\.interchange\.sufficiency\.found$/,
    () => 'whether its value from another document suffices (study interchange)',
  ],
  [
    /^studies\.heterogeneity\.fields\.(.+)\.high$/,
    (_, [, stratum]) => `the upper end of the effect in ${stratum}, nats,`,
  ],
  [/^selectivity\.q$/, () => 'q of its selectivity'],
  [/^selectivity\.verdict$/, () => 'the verdict on its selectivity'],
  [
    /^strataHeld\.(.+)$/,
    ({ needs }, [, stratum]) => (needs === 'is' ? `the verdict in ${stratum}` : `the difference in ${stratum}, nats,`),
  ],
]

/** `supported: q of ablation at most 0.05, now 0.832`. */
export function changeText(change: Change): string {
  const name = names.flatMap(([pattern, text]) => {
    const found = pattern.exec(change.path)
    return found ? text(change, found) : []
  })[0]
  const called = name === undefined ? `<code>${shown(change.path)}</code>` : shown(name, 200)
  return `<b>${shown(change.to)}</b>: ${called} ${shown(change.needs)} ${shown(textOf(change.threshold))}, now ${shown(textOf(change.value))}`
}

const textOf = (value: Change['value']) =>
  value === null
    ? 'not known'
    : typeof value === 'number'
      ? short(value)
      : typeof value === 'boolean'
        ? { true: 'yes', false: 'no' }[`${value}`]
        : value.replaceAll('-', ' ')
