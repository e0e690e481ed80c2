/** The five questions that one has of a feature, each answered in a sentence or with the command that would answer it. HTML. */
import { definitions, type FeatureEvidence, flagsOf } from '../../validation/evidence.ts'
import { short } from '../charts/index.ts'
import { commandText, shown } from '../html.ts'
import { originOf, valued } from '../origin.ts'
import { claimPlace } from './claim-origin.ts'
import { controlNames, documentsText, interventionText } from './claim-text.ts'
import { pill } from './page.ts'

/** What is known of a feature. */
export interface Answered {
  readonly label: {
    readonly text: string
    readonly scoreName: string
    readonly score: number | null
    readonly coverage: number | null
    readonly madeBy: string
  } | null
  /** Null where it was not tested. */
  readonly evidence: FeatureEvidence | null
  readonly evidenceRun: string | null
  /** What would test it. */
  readonly command: string | null
  /** Tokens at which it fires most, where it has no label. */
  readonly tokens: readonly string[]
}

/** Strata and tokens that a sentence names. */
const mostNamed = 4

/** The list of questions and answers. */
export function answersHtml(known: Answered): string {
  const { evidence, evidenceRun, command } = known
  const notRun = `Not run${command ? `: <code>${commandText(command, 300)}</code>` : '.'}`
  const answers = [
    ['What is it?', whatHtml(known)],
    ['Does it cause anything?', evidence ? causesHtml(evidence) : notRun],
    ['Compared with what?', evidence ? comparedHtml(evidence) : notRun],
    ['How sure?', evidence ? sureHtml(evidence) : notRun],
    ['Where does it fail?', evidence ? failsHtml(evidence) : notRun],
  ]
  const place =
    evidence && evidenceRun
      ? `${originOf({ run: evidenceRun, file: 'evidence.json', split: 'validation', n: documentsText(effectOf(evidence)?.documents ?? 0) })} data-where="${shown(claimPlace(evidence), 300)} | "`
      : ''
  return `<dl class="answers"${place}>${answers.map(([question, answer]) => `<div><dt>${question}</dt><dd>${answer}</dd></div>`).join('')}</dl>`
}

const effectOf = ({ claim, ...feature }: FeatureEvidence) => feature[claim.primary]?.metrics.target.effect

function whatHtml({ label, tokens }: Answered): string {
  if (label === null) {
    const where =
      tokens.length > 0
        ? ` It fires most at ${tokens
            .slice(0, mostNamed)
            .map(token => `“${shown(token, 40)}”`)
            .join(', ')}.`
        : ''
    return `No label holds well enough.${where}`
  }
  const covers = label.coverage === null ? 'a share that is not known' : `${short(100 * label.coverage)} %`
  return `<b>${shown(label.text, 200)}</b>: ${shown(label.scoreName)} ${short(label.score)} on text that did not suggest it, covering ${covers} of its activation; by ${shown(label.madeBy)}.`
}

function causesHtml(feature: FeatureEvidence): string {
  const { claim, verdict, tier } = feature
  const effect = effectOf(feature)
  if (!effect || effect.mean === null) return `${pill(verdict)} Nothing was measured of it.`
  const path = `${claim.primary}.metrics.target.effect.mean`
  const value = valued(short(Math.abs(effect.mean)), 'Effect on the target, nats', {
    definition: definitions.target,
    path,
  })
  const about = claim.concept === null ? 'what follows where it is active' : `<b>${shown(claim.concept)}</b>`
  return `${pill(verdict)} ${interventionText(claim.primary, claim.dose)} ${effect.mean < 0 ? 'lowers' : 'raises'} the target of ${about} by ${value} nats${ends(effect)}; the claim is ${shown(tier.tier)}.`
}

function comparedHtml({ claim, ...feature }: FeatureEvidence): string {
  const controls = feature[claim.primary]?.metrics.target.controls ?? []
  if (controls.length === 0) return 'With nothing: no control was measured.'
  const parts = controls.map(({ control, mean, spread, count }, i) => {
    const name = controlNames[control] ?? control
    const path = `${claim.primary}.metrics.target.controls[${i}].mean`
    return `${shown(name)} ${valued(short(mean), name, { definition: 'mean of the controls’ mean effects on the target, nats', path })}${ends(spread)}, ${count} drawn`
  })
  return `${parts.join('; ')}.`
}

function sureHtml(feature: FeatureEvidence): string {
  const { claim } = feature
  const primary = feature[claim.primary]
  if (!primary) return 'Nothing was measured.'
  const { test, power } = primary
  const q = valued(short(test.q), 'q', { definition: definitions.q, path: `${claim.primary}.test.q` })
  const least = power?.minimumDetectableEffect ?? null
  const detectable =
    least === null
      ? 'No effect was sure to be found with so few documents and controls.'
      : `An effect from ${valued(short(least), 'Detectable from, nats', { definition: definitions.minimumDetectableEffect, path: `${claim.primary}.power.minimumDetectableEffect` })} nats on would have been found with power ${short(claim.power)}; ${short(claim.smallestEffect)} nats is the smallest of interest.`
  return `q ${q} among ${test.size} ${test.size === 1 ? 'claim' : 'claims'}, over ${documentsText(primary.metrics.target.effect.documents)}. ${detectable}`
}

/** Strata whose interval holds 0 or lies on the other side, what the studies flag, and what was not looked at. */
function failsHtml(feature: FeatureEvidence): string {
  const { claim, robustness, studies, sideEffect, falsifiers, verdict, causal } = feature
  const own = robustness.filter(({ intervention, mean }) => intervention === claim.primary && mean !== null)
  const sign = claim.direction === 'decrease' ? -1 : 1
  const name = ({ field, value }: (typeof own)[number]) => `${field} ${value}`
  const isKnown = ({ low, high }: (typeof own)[number]) => low !== null && high !== null
  const isAgainst = (one: (typeof own)[number]) => isKnown(one) && (sign > 0 ? one.high! < 0 : one.low! > 0)
  const against = own.filter(isAgainst).map(name)
  const open = own
    .filter(one => !isAgainst(one) && (isKnown(one) ? one.low! <= 0 && one.high! >= 0 : sign * one.mean! <= 0))
    .map(name)
  const found = falsifiers.filter(({ state }) => state === 'found').map(({ falsifier }) => falsifier.path)
  const listed = (names: readonly string[]) =>
    `${names
      .slice(0, mostNamed)
      .map(text => shown(text, 60))
      .join(', ')}${names.length > mostNamed ? ` and ${names.length - mostNamed} more` : ''}`
  const parts = [
    ...(verdict === 'fail' ? [`As a whole: ${shown(causal.reason, 300)}`] : []),
    ...(against.length > 0 ? [`Not as claimed in ${listed(against)}`] : []),
    ...(open.length > 0 ? [`undecided in ${listed(open)}`] : []),
    ...(verdict !== 'fail' && own.length > 0 && against.length + open.length === 0
      ? [`In none of ${own.length} strata that had documents enough`]
      : []),
    ...(found.length > 0 ? [`refuted by ${listed(found)}`] : []),
    ...flagsOf(studies).map(flag => shown(flag, 200)),
    ...(sideEffect?.mean === null || sideEffect?.mean === undefined
      ? []
      : [
          `side effect on other text KL ${valued(short(sideEffect.mean), 'Side effect, KL', { definition: definitions.kl, path: 'sideEffect.mean' })} nats`,
        ]),
  ]
  const unknown = [
    ...(own.length === 0 ? ['strata: the documents have none'] : []),
    ...(studies.transfer ? [] : ['other text: no out-of-distribution documents']),
    ...(studies.robustness === undefined ? ['changed text: <code>--studies robustness</code>'] : []),
  ]
  const sentence = parts.length > 0 ? `${parts.join('; ')}.` : 'Nothing was found.'
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}${unknown.length > 0 ? ` Not run: ${unknown.join('; ')}.` : ''}`
}

const ends = ({ low, high }: { readonly low: number | null; readonly high: number | null }) =>
  low === null || high === null ? '' : ` (${short(low)} to ${short(high)})`
