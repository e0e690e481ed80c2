import { describe, expect, test } from 'vitest'
import type { Claim, FeatureEvidence } from '../evidence.ts'
import { falsified } from '../judging/conditions.ts'
import { claimsText, readClaims, statedFor } from './claim-file.ts'

const head = 'schema: 1\nwritten: 2026-01-02T03:04:05Z\nclaims:\n'
const claim = (more = '') =>
  `  - latents: [3, 5]\n    hypothesis: They stand for German.\n    concept: language=de\n${more}`
const read = (text: string) => readClaims(text, 'my-claims.yaml', 'hash', new Date('2026-01-03'))

describe('a file of claims', () => {
  test('says what it states, and leaves the rest to the settings', () => {
    const stated = read(head + claim('    strata: {register: [formal]}\n    smallestEffect: 0.2\n'))
    expect(stated).toMatchObject({ sha256: 'hash', written: '2026-01-02T03:04:05Z', sae: undefined })
    expect(statedFor(stated, 5)).toMatchObject({
      concept: 'language=de',
      smallestEffect: 0.2,
      strata: { register: ['formal'] },
    })
    expect(statedFor(stated, 4)).toBe(undefined)
  })

  test('with a key that is not known is refused with the nearest', () => {
    expect(() => read(head + claim('    smalestEffect: 0.2\n'))).toThrow(
      'claim 1 of my-claims.yaml has no key smalestEffect',
    )
    expect(() => read(`${head}${claim()}claim: []\n`)).toThrow('has no key claim')
    expect(() => read(head + claim('    controls: [randm]\n'))).toThrow('controls.0')
    expect(() => read(`schema: 1\nclaims:\n${claim()}`)).toThrow('needs the key written')
    expect(() => read(`${head}  - [`)).toThrow('is not YAML')
  })

  test('is read back from what is written for claims', () => {
    const made = { feature: 7, hypothesis: 'Latent 7: “quoted”, and # no comment', concept: null, metric: 'target' }
    const rest = { primary: 'ablate', direction: 'decrease', smallestEffect: 0.05, alpha: 0.05, power: 0.8 }
    const text = claimsText([{ ...made, ...rest } as unknown as Claim], { written: '2026-01-02T03:04:05Z', sae: 'abc' })
    expect(read(text)).toMatchObject({
      sae: 'abc',
      claims: [{ latents: [7], hypothesis: made.hypothesis, concept: null, direction: 'decrease', strata: {} }],
    })
  })

  test('claims a latent once, and names each stratum, control and falsifier once', () => {
    expect(() => read(head + claim() + claim())).toThrow('Latent 3 is in claim 1 and in claim 2')
    const twice = (more: string) => () => read(head + claim(`    ${more}\n`))
    expect(twice('strata: {register: [formal, formal]}')).toThrow('strata.register is ["formal","formal"]: it names')
    expect(twice('controls: [covariance, covariance]')).toThrow('it names "covariance" twice')
    const falsifier = '{path: verdict, is: fail}'
    expect(twice(`falsifiers: [${falsifier}, ${falsifier}]`)).toThrow('twice, where each stands once')
    expect(twice(`falsifiers: [${falsifier}, {path: verdict, is: inconclusive}]`)).not.toThrow()
  })

  test('says what can be read, in words', () => {
    const hypothesis = (text: string) => () =>
      read(`${head}  - latents: [3]\n    hypothesis: ${JSON.stringify(text)}\n    concept: null\n`)
    for (const empty of ['', ' \t', '\u200d', '…!']) expect(hypothesis(empty)).toThrow('says something, in words')
    expect(hypothesis('raises it \u202edaeh')).toThrow('“raises it \\u202edaeh”; leave them out')
    expect(hypothesis('a\u0000b')).toThrow('“a\\u0000b”')
    expect(hypothesis('x'.repeat(2001))).toThrow('it has 2001 characters')
    for (const fine of ['Zwei\r\nZeilen\t3', '彼の', '\u06cc\u200c\u06a9', 'x'.repeat(2000)])
      expect(hypothesis(fine)).not.toThrow()
  })

  test('was written before it is read, but for clocks that differ by minutes', () => {
    const at = (written: string) => () => read(head.replace('2026-01-02T03:04:05Z', written) + claim())
    expect(at('2026-01-03T00:05:00Z')).not.toThrow()
    expect(at('2026-01-03T02:00:00+02:00')).not.toThrow()
    expect(at('2026-01-03T00:05:01Z')).toThrow(
      'written at 2026-01-03T00:05:01Z, which is later than now (2026-01-03T00:00:00.000Z)',
    )
    expect(at('2026-01-03T00:00:00-01:00')).toThrow('later than now')
  })

  test('has falsifiers that lead to a value of the evidence, and one condition each', () => {
    const falsifier = (text: string) => () => read(head + claim(`    falsifiers: [${text}]\n`))
    expect(falsifier('{path: studies.transfer.verdict, is: fail}')).not.toThrow()
    expect(falsifier('{path: studies.transfr.verdict, is: fail}')).toThrow('no studies.transfr')
    expect(falsifier('{path: studies.transfer, is: fail}')).toThrow('holds several values')
    expect(falsifier('{path: sideEffect.mean, above: 1, below: 0}')).toThrow('one of is, above and below')
    expect(falsifier('{path: sideEffect.mean}')).toThrow('one of is, above and below')
  })
})

describe('falsifiers', () => {
  // As much of the evidence of a feature as their paths reach.
  const feature = {
    ...{ claim: { falsifiers: [] }, causal: { verdict: 'pass' }, sideEffect: null, studies: {} },
    ablate: { norm: 1, test: { asClaimed: true } },
  } as unknown as FeatureEvidence
  const stateOf = (falsifiers: Parameters<typeof falsified>[0]['claim']['falsifiers']) =>
    falsified({ ...feature, claim: { ...feature.claim, falsifiers } }).map(({ state }) => state)

  test('with a condition that could never be found, a blank hypothesis or a latent twice is refused', () => {
    const falsifier = (more: string) => read(head + claim(`    falsifiers: [{path: ${more}}]\n`))
    expect(() => falsifier('verdict, above: 1')).toThrow('with above or below, but verdict is no number')
    expect(() => falsifier('verdict, is: fial')).toThrow('finds verdict to be "fial", which it never is')
    expect(() => falsifier('sideEffect.mean, is: high')).toThrow('finds sideEffect.mean to be "high"')
    expect(falsifier('verdict, is: fail').claims[0]!.falsifiers).toEqual([{ path: 'verdict', is: 'fail' }])
    expect(() => read(`${head}  - latents: [3]\n    hypothesis: " "\n    concept: null\n`)).toThrow('says something')
    expect(() => read(`${head}  - latents: [3, 3]\n    hypothesis: x\n    concept: null\n`)).toThrow('latent 3 twice')
    expect(() => read(head + claim('    smallestEffect: .nan\n'))).toThrow('smallestEffect is NaN')
    expect(() => read(head + claim('    strata: {__proto__: [formal]}\n'))).toThrow('a key cannot be __proto__')
  })

  test('are found, absent or undecided', () => {
    expect(
      stateOf([
        { path: 'ablate.norm', above: 0.5 },
        { path: 'ablate.norm', above: 1 },
        { path: 'ablate.norm', below: 2 },
        { path: 'ablate.test.asClaimed', is: true },
        { path: 'causal.verdict', is: 'fail' },
        { path: 'sideEffect.mean', above: 0 },
        { path: 'studies.transfer.verdict', is: 'fail' },
      ]),
    ).toEqual(['found', 'absent', 'found', 'found', 'absent', 'undecided', 'undecided'])
  })
})
