import { describe, expect, test } from 'vitest'
import { featureOf as feature, testedAs } from '../../labels/evidence.fixture.ts'
import { escapeHtml } from '../html.ts'
import { chooseFeatures, densityHistogram, featureCard } from './features.ts'
import { page, table } from './page.ts'
import { trainingCharts } from './training.ts'

describe('training charts', () => {
  test('show what screening left in question, where a training was screened', () => {
    const record = { tokens: 1, loss: 1, fvu: 1, l0: 2, dead: 0 }
    const title = 'what screening left in question'
    expect(trainingCharts([record])).not.toContain(title)
    const svg = trainingCharts([record, { ...record, tokens: 2, inQuestion: 0.0125 }])
    expect(svg).toContain(title)
    expect(svg).toContain('0.0125')
  })

  test('thin long runs but keep their last record', () => {
    const records = Array.from({ length: 5000 }, (_, i) => ({ tokens: i, loss: 1 + i, fvu: 1, l0: 2, dead: 0 }))
    const svg = trainingCharts(records)
    expect(svg.length).toBeLessThan(120_000)
    expect(svg).toContain('L450 10"')
  })

  test('show what a model recovers where it was measured, however seldom, and densities at the end', () => {
    const records = Array.from({ length: 5000 }, (_, i) => ({
      ...{ tokens: i, loss: 1, fvu: 1, l0: 2, dead: 0, densityHistogram: [i, ...Array(11).fill(0), 7] },
      ...(i % 1667 === 13 ? { ceRecovered: 0.5, ceRecoveredZero: 0.75 } : {}),
    }))
    const svg = trainingCharts(records)
    expect(svg.match(/Loss of the model recovered/g)).not.toBeNull()
    expect(svg.match(/<title>13: 0.5|<title>1,?680: 0.5|<title>3,?347: 0.5/g)).toHaveLength(3)
    expect(svg).toContain('Density of latents at the end of training; 4999 without a firing have no place here')
    expect(svg).toContain('<title>−0.5 to 0: 7</title>')
    expect(trainingCharts(records.map(({ tokens, loss }) => ({ tokens, loss })))).not.toContain('recovered')
  })
})

describe('features', () => {
  test('those tested come first, then those a rule describes, best first', () => {
    const tested = testedAs()
    const chosen = chooseFeatures(
      [
        feature(1, { labelKind: 'none', label: null, labelF1: 0.9 }),
        feature(2, { labelF1: 0.7 }),
        feature(3, { labelF1: 0.8 }),
        feature(4, { evidence: tested }),
        feature(5, { density: 0, evidence: tested }),
      ],
      3,
    )
    // Latent 5 was tested too, though it is silent here: what its test found is shown.
    expect(chosen.map(({ latent }) => latent)).toEqual([4, 5, 3])
  })

  test('a card shades tokens by activation and escapes text', () => {
    const html = featureCard(feature(7), [
      {
        group: 'top',
        window: 'd<1>',
        position: 1,
        start: 0,
        activation: 4,
        tokens: ['<a>', 'w7', 'x'],
        activations: [0, 4, 2],
      },
    ])
    expect(html).toContain('<mark class="s10 peak" title="4">w7</mark>')
    expect(html).toContain('<mark class="s5" title="2">x</mark>')
    expect(html).not.toContain('<a>')
    expect(html).not.toContain('<b>')
  })

  test('a card names the intervention, what it is about and the number of documents', () => {
    const tested = { effect: 1.43, effectLow: 1, effectHigh: 2, concept: 'a<b' }
    const steered = featureCard(feature(1, { evidence: testedAs({ ...tested, intervention: 'steer', dose: -1 }) }), [])
    expect(steered).toContain('steering at dose −1 for a&#60;b: target 1.43 [1, 2] over 12 documents, q 1')
    expect(steered).not.toContain('ablation')
    const ablated = featureCard(feature(1, { evidence: testedAs({ ...tested, documents: 1 }) }), [])
    expect(ablated).toContain('ablation for a&#60;b: target 1.43 [1, 2] over 1 document,')
  })

  test('a card says that a rule below the bar is no label', () => {
    const html = featureCard(feature(1, { label: null, labelKind: 'none', labelF1: 0.2 }), [])
    expect(html).toContain('no label: its best rule has F1 0.2')
  })

  test('the density histogram says of how many latents it is', () => {
    const title = densityHistogram([feature(1), feature(2, { density: 0, meanActivation: null })])
    expect(title).toContain('the 1 of 2 that did on the tokens read for labels')
  })
})

describe('page', () => {
  test('is one file: no scripts, no links to elsewhere', () => {
    const html = page('A & B', '', [{ id: 'x', title: 'X', html: table(['Name', '#Value'], [['a', '1']]) }])
    expect(html).toContain('<title>A &#38; B</title>')
    expect(html).toContain('<td class="number" data-name="Value"><span>1</span></td>')
    expect(html).not.toMatch(/<script|https?:|src=/)
  })

  test('escapes what HTML would read', () =>
    expect(escapeHtml(`<a href="x">'&`)).toBe('&#60;a href=&#34;x&#34;&#62;&#39;&#38;'))
})
