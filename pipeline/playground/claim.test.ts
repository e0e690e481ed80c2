import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { claimCommand, claimText, interventionOf } from '../../dashboard/client/claim.ts'
import { readClaims } from '../../validation/claims/claim-file.ts'

const written = '2026-01-02T03:04:05.000Z'
const nothing = { hypothesis: '', concept: '', direction: '' as const, smallest: 0.25 }
const read = (text: string) => readClaims(text, 'claim.yaml', 'hash', new Date(written))

test('an edit of the playground is a file of claims that validate reads', () => {
  const steered = { latent: 7, kind: 'add' as const, strength: -2 }
  expect(read(claimText(steered, nothing, written))).toMatchObject({
    written,
    claims: [{ latents: [7], concept: null, intervention: 'steer', direction: 'decrease', smallestEffect: 0.25 }],
  })
  expect(claimCommand(steered, 'run42')).toBe('pipeline validate --sae run42 --claimsFile claim.yaml --dose -2')
  const ablated = { latent: 0, kind: 'ablate' as const, strength: 1 }
  const said = { ...nothing, concept: 'language=de', direction: 'increase' as const }
  expect(read(claimText(ablated, said, written)).claims[0]).toMatchObject({
    ...{ latents: [0], concept: 'language=de', intervention: 'ablate', direction: 'increase' },
  })
  expect(claimCommand(ablated, 'run42')).toBe('pipeline validate --sae run42 --claimsFile claim.yaml')
  expect((['set', 'scale'] as const).map(interventionOf)).toEqual([null, null])
})

test('what a person, or a link of someone else, writes in it stays one text', () => {
  const hostile = 'x"\n  - latents: [9]\u202e\u0000\u0085# "\\'
  const text = claimText(
    { latent: 1, kind: 'ablate', strength: 1 },
    { ...nothing, hypothesis: hostile, concept: hostile },
    written,
  )
  expect(text.split('\n')).toHaveLength(11)
  for (const unseen of ['\u202e', '\0', '\u0085']) expect(text).not.toContain(unseen)
  const { claims } = parse(text)
  expect(claims).toHaveLength(1)
  expect(claims[0]).toMatchObject({ latents: [1], hypothesis: hostile, concept: hostile })
  expect(() => read(text)).toThrow('characters that are not seen')
})
