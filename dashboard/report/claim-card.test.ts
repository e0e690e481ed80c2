import { describe, expect, test } from 'vitest'
import { evidenceOf } from '../../labels/evidence.fixture.ts'
import type { Change, Evidence, FeatureEvidence } from '../../validation/evidence.ts'
import { short } from '../charts/index.ts'
import { changeText } from './change-text.ts'
import { claimCard } from './claim-card.ts'
import { verdictSentence } from './claim-text.ts'
import { validationHtml } from './validation.ts'

const featureOf = (more: Partial<FeatureEvidence> = {}): FeatureEvidence => ({
  ...evidenceOf([{ feature: 3, concept: 'language=<b>', effect: -0.5, verdict: 'pass' }]).features[0]!,
  ...more,
})
const card = (more: Partial<FeatureEvidence> = {}) => claimCard({ feature: featureOf(more), name: '3 <i>' })

/** What stands at a place of a JSON text, by as much of jq's language as places are written in. */
function standsAt(file: unknown, place: string): unknown {
  return place.split('|').reduce((all, step) => {
    const [, key, value] = /^\s*select\(\.([\w.]+)==(.+)\)\s*$/.exec(step) ?? []
    if (key) return (all as unknown[]).find(one => standsAt(one, key) === JSON.parse(value!))
    const keys = step.trim().replace(/^\./, '').split('.').filter(Boolean)
    return keys.reduce<unknown>((found, key) => {
      const [, name, list, at] = /^(\w+)(\[(\d*)\])?$/.exec(key)!
      const part = (found as Record<string, unknown>)[name!]
      return list && at ? (part as unknown[])[Number(at)] : part
    }, all)
  }, file)
}

describe('the card of a claim', () => {
  test('leads every number of its figures and its sentence to the place in evidence.json that holds it', () => {
    const evidence = evidenceOf([{ feature: 1 }, { feature: 3, concept: 'x', effect: -0.5 }])
    const effect = evidence.features[1]!.ablate!.metrics.target.effect
    const stratum = {
      intervention: 'ablate' as const,
      field: 'language',
      documents: 6,
      ratioLow: null,
      ratioHigh: null,
    }
    const feature: FeatureEvidence = {
      ...evidence.features[1]!,
      doseCurve: [0.5, 1].map(dose => ({ dose, target: { ...effect, mean: -dose }, loss: effect, kl: effect })),
      robustness: ['en', '"] | halt'].map((value, i) => ({
        ...stratum,
        value,
        mean: i + 1,
        low: i,
        high: i + 2,
        ratio: 1,
      })),
      steer: { ...evidence.features[1]!.ablate!, dose: 1 },
    }
    const file = { features: [evidence.features[0], feature] }
    const html = claimCard({ feature, name: '3', run: 'tested' })
    let numbers = 0
    for (const [, table] of html.matchAll(/<div class="scroll"[^>]*><table>(.*?)<\/table>/g)) {
      const heads = [...table!.matchAll(/<th scope[^>]*>/g)].map(([head]) => / data-path="([^"]*)"/.exec(head)?.[1])
      for (const [, where, row] of table!.matchAll(/<tr data-where="([^"]*)"[^>]*>(.*?)<\/tr>/g))
        [...row!.matchAll(/<td[^>]*data-value="([^"]*)"[^>]*>/g)].forEach(([cell, value], i) => {
          const path = / data-path="([^"]*)"/.exec(cell)?.[1] ?? heads[i]
          if (!path || value === '') return
          const place = `${where!.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))}.${path}`
          expect(String(standsAt(file, place)), place).toBe(value)
          numbers++
        })
    }
    expect(numbers).toBe(2 * 2 * 4 + 4 + 2 * 6 + 2 * 4)
    const [, place, said] = /data-path="(ablate[^"]*mean)">([^<]*)</.exec(html)!
    expect(short(Math.abs(standsAt(feature, place!) as number))).toBe(said)
  })

  test('says in a sentence what was done, what it did, on how many documents, and how far that goes', () => {
    const text = verdictSentence(featureOf()).replace(/<[^>]*>/g, '')
    expect(text).toBe(
      'Ablation lowers the target of language=&#60;b&#62; by 0.5 nats (−0.6 to −0.4) over 12 documents, beyond every kind of control. Controls: other latents, equal norm 0 (−0.3 to 0.15). q 0.05; smallest effect of interest 0.05. The claim is supported (further lines of evidence are missing).',
    )
    expect(verdictSentence(featureOf({ ablate: null }))).toContain('Nothing was measured')
  })

  test('says what was measured once: where answers stand before it, the rule alone follows the tier', () => {
    const answered = claimCard({ feature: featureOf(), name: '3', first: '<dl></dl>' })
    expect(answered).toContain('supported: further lines of evidence are missing')
    expect(answered).not.toContain('The claim is')
    expect(claimCard({ feature: featureOf(), name: '3', isAnswered: true })).not.toContain('The claim is')
    expect(card()).toContain('The claim is')
  })

  test('has each kind of control beneath the effect, and nothing from names as markup', () => {
    const html = card()
    const drawn = html.slice(html.indexOf('<svg'))
    expect(drawn.indexOf('>ablation<')).toBeLessThan(drawn.indexOf('other latents, equal norm<'))
    expect(html).toContain('−0.3 to 0.15')
    expect(html).not.toMatch(/<i>|language=<b>/)
  })

  test('lists what would change it, what the claim says of itself and what studies found', () => {
    const html = card({
      tier: {
        ...{ tier: 'supported', rule: 'lines-missing', lines: [] },
        wouldChange: [
          { to: 'triangulated', path: 'studies.transfer.verdict', value: null, needs: 'is', threshold: 'pass' },
        ],
      },
      falsifiers: [{ falsifier: { path: 'sham', above: 0 }, value: 0, state: 'absent' }],
      studies: { interventions: null },
    })
    expect(html).toContain('<b>triangulated</b>: the verdict on other text (study transfer) is pass, now not known')
    expect(html).toContain('<b>absent</b>: <code>sham</code>, now 0')
    expect(html).toContain('Nothing to say: interventions.')
  })
})

test('a verdict that passes shows what studies found against it', () => {
  const negatives = { told: false, sameToken: { auroc: 0.5 }, nearest: { auroc: null } }
  const studies = { dormant: { dormant: true }, negatives } as unknown as FeatureEvidence['studies']
  const html = claimCard({ feature: featureOf({ studies }), name: 'latent 3' })
  const head = html.slice(0, html.indexOf('</header>'))
  expect(head).toContain(
    'but by a pathway that text does not take; does not tell the concept from what is most like it',
  )
  expect(claimCard({ feature: featureOf(), name: 'latent 3' })).not.toContain('class="warning"')
})

test('every study that was asked says what it found in a sentence, or that it could say nothing', () => {
  const strata = (field: string, everywhere: boolean) => ({ field, everywhere, worst: { value: `least-${field}` } })
  const studies = {
    halves: { both: 3, one: 12, neither: 5, halvings: 20 },
    heterogeneity: { fields: [strata('kind', true), strata('language', false)] },
    interventions: {
      agree: false,
      kinds: [
        { intervention: 'zero', asClaimed: true },
        { intervention: 'mean', asClaimed: false },
      ],
    },
    robustness: {
      shifts: [
        { shift: 'typos', kept: 'no', ratio: { ratio: 0.25 } },
        { shift: 'length', kept: 'unclear', ratio: null },
      ],
    },
    siblings: { siblings: [{}, {}], matched: 1, passed: 1 },
    doses: { window: { effectDose: 0.5, capDose: null, ratio: 8, atLeast: true } },
    output: { outputScore: { effect: { mean: 0.1 }, p: 0.05 }, confidenceShift: { effect: { mean: 2 }, p: null } },
    controls: {
      kinds: [
        { control: 'random', share: { ratio: 0.1 } },
        { control: 'matched', share: null },
      ],
    },
    sets: { latents: [{ latent: 3 }] },
    transfer: null,
  } as unknown as FeatureEvidence['studies']
  const html = claimCard({ feature: featureOf({ studies }), name: 'latent 3' })
  const list = html.slice(html.indexOf('Further questions'))
  const items = [...list.slice(0, list.indexOf('</ul>')).matchAll(/<li>(.*?)<\/li>/g)].map(([, text]) => text)
  expect(items).toEqual([
    'Halves of the documents: both pass in 3 of 20 halvings, one in 12, neither in 5.',
    'Strata: beyond the controls in every stratum of kind; not shown to be in every one of language (least in least-language).',
    'Kinds of edit: as claimed by zero; not by mean.',
    'Changed text: typos not kept (25 %), length unclear.',
    'In 2 other SAEs: a latent matches it in 1, and passes.',
    'Doses: the effect from 0.5 on, KL at its cap at none; window at least 8.',
    'Amplified: output score 0.1 (p 0.05 among controls), confidence shift 2.',
    'Controls as shares of ablating it: random 10 %, matched –.',
    'Together: no other latent says the same.',
    'Nothing to say: transfer.',
  ])
})

test('strata stand by field and in order, whichever intervention has them, and what is missing says why', () => {
  const stratum = { documents: 6, mean: 1, low: 0, high: 2, ratio: null, ratioLow: null, ratioHigh: null }
  const of = (intervention: 'ablate' | 'steer', field: string, value: string) => ({
    ...{ ...stratum, intervention, field, value },
  })
  const robustness = [of('ablate', 'kind', 'b'), of('ablate', 'language', 'en'), of('steer', 'kind', 'a')]
  const html = card({ robustness })
  const drawn = html.slice(html.indexOf('<svg class="heat"'))
  const names = ['>kind a<', '>kind b<', '>language en<'].map(name => drawn.indexOf(name))
  expect(names).toEqual([...names].sort((a, b) => a - b))
  expect(names[0]).toBeGreaterThan(0)
  expect(html).toContain('Missing: measured in none of its documents.')
  expect(card({ robustness: [of('ablate', 'kind', 'a')] })).not.toContain('Missing: measured')
})

test('what would change a claim is said in words for every place that tiers name', () => {
  const at = (path: string, more: Partial<Change> = {}) =>
    changeText({ to: 'supported', path, value: 0.2, needs: 'above', threshold: 0.05, ...more })
  expect(at('ablate.test.q', { needs: 'at most', value: 0.832 })).toBe(
    '<b>supported</b>: q of ablation at most 0.05, now 0.832',
  )
  expect(at('ablate.metrics.target.controls.tied', { to: 'underdetermined', value: 0.0342 })).toBe(
    '<b>underdetermined</b>: the claimed effect beyond random directions that fire as often, at most, nats, above 0.05, now 0.0342',
  )
  expect(at('studies.specificity.isolated', { value: null, needs: 'is', threshold: true })).toMatch(
    /left alone \(study specificity\) is yes, now not known$/,
  )
  for (const path of [
    'steer.metrics.target.effect.low',
    'ablate.power.atSmallestEffect',
    'claim.documents.ablate.length',
    'studies.transfer.verdict',
    'studies.association.finding',
    'studies.interchange.sufficiency.found',
    'studies.heterogeneity.fields.half=odd.high',
    'selectivity.q',
    'selectivity.verdict',
    'strataHeld.language=de',
  ])
    expect(at(path), path).not.toContain('<code>')
  expect(at('sham')).toContain('<code>sham</code>')
})

test('that the SAE is not ahead of its baselines stands before every verdict', () => {
  const evidence: Evidence = {
    ...evidenceOf([{ feature: 3 }]),
    studies: {
      baselines: {
        ...{ ahead: 'no', summary: 'No more claims pass than of random directions.' },
        trained: { claims: 4, passed: 1, share: 0.25 },
        together: { claims: 8, passed: 2, share: 0.25, difference: 0, low: -0.4, high: 0.4, ahead: 'no' },
        baselines: [],
      },
    },
  }
  const html = validationHtml(evidence, { names: new Map(), cards: new Set() })
  expect(html.startsWith('<p class="warning"><b>No more claims pass than of random directions.</b></p>')).toBe(true)
  expect(html).toContain('1 of 4 (25 %)')
})
