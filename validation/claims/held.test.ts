import { describe, expect, test } from 'vitest'
import type { TokenWindow } from '../../datasets/document.ts'
import type { Activations } from '../../latents/activations.ts'
import type { SiteValues } from '../../latents/projections.ts'
import { notHeld } from '../judging/verdict.ts'
import { heldShare } from './held.ts'

const windowOf = (length: number) => ({ tokens: new Int32Array(length) }) as TokenWindow

/** Two windows of three tokens each, the first of which is not read; the values at the others are these. */
const windows = [windowOf(3), windowOf(3)]
const values = Float32Array.of(1, 0, 2, 0, 0, 3, -4, 0)
const site: SiteValues = { windows, tokens: 4, width: 2, values, read: values }

/** A latent that is active at the second position read of each window. */
const found = (first: number, second: number): Activations => ({
  ...{ windows, tokens: 4, latents: 1, offsets: Float64Array.of(0, 2) },
  ...{ window: Uint32Array.of(0, 1), position: Uint16Array.of(2, 2), value: Float32Array.of(first, second) },
})

describe('what text holds of what a latent writes', () => {
  test('is all of it where its activation is the projection', () => {
    expect(heldShare(site, found(2, 0), 0, Float32Array.of(1, 0))).toBe(1)
  })
  test('falls as its decoder row grows, and does not see what lies the other way', () => {
    expect(heldShare(site, found(2, 0), 0, Float32Array.of(4, 0))).toBe(0.25)
    // 2 is held of 2 + 4: at the second place the values lie at −4.
    expect(heldShare(site, found(2, 4), 0, Float32Array.of(1, 0))).toBeCloseTo(1 / 3, 12)
    expect(heldShare(site, found(2, 0), 0, Float32Array.of(-1, 0))).toBe(0)
    // An activation below 0 writes the other way.
    expect(heldShare(site, found(0, -4), 0, Float32Array.of(1, 0))).toBe(1)
  })
  test('is unknown where it writes nothing', () => {
    expect(heldShare(site, found(2, 4), 0, Float32Array.of(0, 0))).toBeNull()
    expect(heldShare(site, found(0, 0), 0, Float32Array.of(1, 0))).toBeNull()
  })
  test('keeps a claim from passing below a half', () => {
    const about = (held: number | null) => ({ discovery: { density: 0.1, auroc: null, unit: 1, maximum: 1, held } })
    expect(notHeld(about(0.5))).toEqual([])
    expect(notHeld(about(null))).toEqual([])
    expect(notHeld(about(0.25))).toEqual([
      expect.objectContaining({ verdict: 'inconclusive', reason: expect.stringContaining('text holds 0.25 along') }),
    ])
  })
})
