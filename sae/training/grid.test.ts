import { describe, expect, test } from 'vitest'
import { TrainConfig } from './config.ts'
import { membersOf, TrainManyConfig } from './grid.ts'

const members = (config: Record<string, unknown>, seed = 0) => membersOf(TrainManyConfig.parse(config), seed)
const labels = (config: Record<string, unknown>) => members(config).map(({ label }) => label)

describe('the SAEs of a config', () => {
  test('are every combination of a grid, the last key changing fastest', () => {
    expect(labels({ grid: { k: [4, 8], latents: [64, 128] } })).toEqual([
      ...['latents 64, k 4', 'latents 64, k 8'],
      ...['latents 128, k 4', 'latents 128, k 8'],
    ])
  })

  test('are the entries of a list, each crossed with the grid and with its own', () => {
    expect(labels({ saes: [{ k: 2 }, { architecture: 'batchtopk', grid: { k: [4, 8] } }] })).toEqual([
      'k 2',
      'architecture batchtopk, k 4',
      'architecture batchtopk, k 8',
    ])
    expect(labels({ grid: { latents: [64, 128] }, saes: [{ k: 2 }, { k: 4 }] })).toHaveLength(4)
  })

  test('have the config that they have alone', () => {
    const [member] = members({ latents: 64, epochs: 2, grid: { architecture: ['batchtopk'], k: [4] } })
    const alone = TrainConfig.parse({ latents: 64, epochs: 2, architecture: 'batchtopk', k: 4 })
    expect(TrainConfig.parse(member!.config)).toEqual(alone)
    expect(member!.slug).toBe('batchtopk-k4')
  })

  test('take lists as values where a key is a list', () => {
    const [a, b] = members({
      architecture: 'matryoshka',
      latents: 64,
      grid: {
        widths: [
          [32, 64],
          [8, 64],
        ],
      },
    })
    expect(a!.config).toMatchObject({ widths: [32, 64] })
    expect(b!.label).toBe('widths [8,64]')
    expect(b!.slug).toMatch(/^[A-Za-z0-9._-]+$/)
  })

  test('that differ in their seeds read rows in one order, and one that says otherwise does not', () => {
    const found = members({ grid: { seed: [5, 6] }, saes: [{ k: 2 }, { k: 4, orderSeed: 9 }] }, 5)
    expect(found.map(({ config }) => [config.seed, config.orderSeed])).toEqual([
      [5, undefined],
      [6, 5],
      [5, 9],
      [6, 9],
    ])
  })

  test('have ids of their own even where the beginning of what sets them apart is the same', () => {
    const long = [...Array(12).keys()].map(i => 10_000_001 + i)
    const found = members({
      architecture: 'matryoshka',
      grid: { widths: [long, [...long, 20_000_000]], latents: [20_000_000] },
    })
    expect(new Set(found.map(({ slug }) => slug)).size).toBe(2)
  })
})

describe('refused in a sentence', () => {
  test('a key that does not apply to one of the architectures, with the SAE it is about', () => {
    expect(() => members({ grid: { architecture: ['topk', 'jumprelu'] }, k: 3 })).toThrow(
      'SAE architecture jumprelu: train key k does not apply to the architecture jumprelu.',
    )
  })
  test('the same SAE twice', () => {
    expect(() => members({ saes: [{ k: 4 }, { name: 'again', k: 4 }] })).toThrow('The SAEs k 4 and again are the same.')
  })
  test('keys that all have in common', () => {
    expect(TrainManyConfig.safeParse({ grid: { capture: ['a', 'b'] } }).success).toBe(false)
    expect(TrainManyConfig.safeParse({ saes: [{ fidelity: {} }] }).success).toBe(false)
  })
})
