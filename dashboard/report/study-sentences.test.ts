import { expect, test } from 'vitest'
import type { FeatureEvidence } from '../../validation/evidence.ts'
import { studySentence } from './study-sentences.ts'

type Studies = FeatureEvidence['studies']

const field = (name: string, everywhere: boolean) => ({ field: name, everywhere, worst: { value: 'old' } })
const kind = (intervention: string, asClaimed: boolean | null) => ({ intervention, asClaimed })
const siblings = (count: number, matched: number, passed: number) => ({
  siblings: Array(count).fill({}),
  matched,
  passed,
})
const told = { sameToken: { auroc: 0.7 }, nearest: { auroc: null } }
const doses = (effectDose: number | null, capDose: number | null, atLeast = false) => ({
  window: { effectDose, capDose, ratio: 8, atLeast },
})
const transfer = { verdict: 'pass', reason: 'beyond the controls', ratio: 0.8, ratioLow: 0.5, ratioHigh: 1.1 }

const cases: readonly (readonly [keyof Studies, object, string])[] = [
  ['heterogeneity', { fields: [] }, 'Strata: none has documents enough.'],
  [
    'heterogeneity',
    { fields: [field('kind', true), field('year', true)] },
    'Strata: beyond the controls in every stratum of kind, year.',
  ],
  [
    'heterogeneity',
    { fields: [field('year', false)] },
    'Strata: not shown to be beyond the controls in every stratum of year (least in old).',
  ],
  [
    'heterogeneity',
    { fields: [field('kind', true), field('year', false)] },
    'Strata: beyond the controls in every stratum of kind; not shown to be in every one of year (least in old).',
  ],
  ['interventions', { agree: null, kinds: [kind('zero', null)] }, 'Kinds of edit: none claims a side.'],
  [
    'interventions',
    { agree: true, kinds: [kind('zero', true), kind('mean', null)] },
    'Kinds of edit: as claimed by zero.',
  ],
  ['interventions', { agree: true, kinds: [kind('zero', false)] }, 'Kinds of edit: not as claimed by zero.'],
  [
    'interventions',
    { agree: false, kinds: [kind('zero', true), kind('mean', false), kind('sign', false)] },
    'Kinds of edit: as claimed by zero; not by mean, sign.',
  ],
  ['siblings', siblings(2, 0, 0), 'In 2 other SAEs: no latent matches it.'],
  ['siblings', siblings(1, 1, 0), 'In one other SAE: a latent matches it, and none passes.'],
  ['siblings', siblings(1, 1, 1), 'In one other SAE: a latent matches it, and passes.'],
  ['siblings', siblings(3, 2, 0), 'In 3 other SAEs: a latent matches it in 2, and none passes.'],
  ['siblings', siblings(3, 1, 1), 'In 3 other SAEs: a latent matches it in 1, and passes.'],
  ['siblings', siblings(3, 2, 1), 'In 3 other SAEs: a latent matches it in 2, and passes in 1.'],
  [
    'transfer',
    transfer,
    'Out of distribution: pass, beyond the controls; 80 % of the difference on validation text [50 %, 110 %].',
  ],
  ['transfer', { ...transfer, ratio: null }, 'Out of distribution: pass, beyond the controls.'],
  [
    'specificity',
    { among: 5, rank: 1, isolated: true, leaks: [] },
    'Specificity: of 5 concepts’ targets the own one is moved farthest; all others are left alone.',
  ],
  [
    'specificity',
    { among: 5, rank: 3, isolated: null, leaks: [] },
    'Specificity: of 5 concepts’ targets the own one is moved only 3. farthest; whether the others are left alone cannot be told.',
  ],
  [
    'specificity',
    { among: 5, rank: 2, isolated: false, leaks: ['a', 'b'] },
    'Specificity: of 5 concepts’ targets the own one is moved only 2. farthest; not left alone: a, b.',
  ],
  ['association', { finding: 'no-comparison', withinToken: null }, 'Within the token: no comparison.'],
  [
    'association',
    { finding: 'beyond-token', withinToken: { estimate: 0.9, low: 0.8, high: 0.95 } },
    'Within the token: beyond token, AUROC among equal tokens 0.9 [0.8, 0.95].',
  ],
  [
    'interchange',
    { sufficiency: { found: true }, necessity: { found: false }, backup: true },
    'Interchange of documents: sufficient, not necessary; something else does the same.',
  ],
  [
    'interchange',
    { sufficiency: { found: null }, necessity: { found: true }, backup: null },
    'Interchange of documents: not known to be sufficient, necessary.',
  ],
  [
    'ceiling',
    { share: null, ceiling: null },
    'Supervised ceiling: no direction that was told the concept does anything.',
  ],
  ['ceiling', { share: { ratio: 0.5 }, ceiling: null }, 'Supervised ceiling: 50 % of what the best of them does.'],
  ['ceiling', { share: { ratio: 0.5 }, ceiling: 'probe' }, 'Supervised ceiling: 50 % of what probe does.'],
  ['sets', { latents: [{ latent: 3 }] }, 'Together: no other latent says the same.'],
  [
    'sets',
    { latents: [{ latent: 3 }, { latent: 5 }, { latent: 8 }], joint: { effect: { mean: -0.5 } } },
    'Together with 5, 8: −0.5 nats.',
  ],
  ['dormant', { dormant: null }, 'Pathway: whether text takes it cannot be told.'],
  [
    'dormant',
    { dormant: true },
    'Pathway: more than half of the effect is that of a part of the direction along which text does not move.',
  ],
  ['dormant', { dormant: false }, 'Pathway: most of the effect is that of the part along which text moves.'],
  ['doses', doses(null, 2), 'Doses: none has the smallest effect of interest.'],
  ['doses', doses(0.5, null, true), 'Doses: the effect from 0.5 on, KL at its cap at none; window at least 8.'],
  ['doses', doses(0.5, 4), 'Doses: the effect from 0.5 on, KL at its cap at 4; window 8.'],
  [
    'negatives',
    { told: null, ...told },
    'Hard negatives: whether they are told apart cannot be said; AUROC 0.7 for the same words, – for the nearest tokens.',
  ],
  [
    'negatives',
    { told: false, ...told },
    'Hard negatives: not told apart; AUROC 0.7 for the same words, – for the nearest tokens.',
  ],
]

test.each(cases)('%s of %j is one plain sentence', (name, found, sentence) => {
  expect(studySentence(name, { [name]: found } as unknown as Studies)).toBe(sentence)
})

test('a study that was not asked, or could say nothing, has no sentence', () => {
  expect(studySentence('sets', {})).toBeUndefined()
  expect(studySentence('sets', { sets: null })).toBeUndefined()
})
