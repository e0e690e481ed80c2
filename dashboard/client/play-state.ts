/** What the playground shows, as its address says it. */
import type { Api, PlayEdit } from '../api/types.ts'

export type Kind = PlayEdit['kind']
export type Direction = 'increase' | 'decrease'

/** What edits do, as the page says it. */
export const kinds: Readonly<Record<Kind, string>> = {
  ablate: 'ablate: to 0',
  set: 'set to strength × its largest',
  scale: 'scale by strength',
  add: 'steer: add strength × its largest',
}

/** All of it. */
export interface State {
  readonly sae: string
  readonly text: string
  /** A second text beside the first; null without one. */
  readonly second: string | null
  readonly edits: readonly PlayEdit[]
  readonly target: string
  readonly distractor: string
  readonly order: NonNullable<Api['fires']['body']['order']>
  /** Whether edits are also done with attention held as it is on the text. */
  readonly frozen: boolean
  /** Tokens that the text goes on by, how they are drawn (0: the likeliest), and the seed of draws and controls. */
  readonly length: number
  readonly temperature: number
  readonly seed: number
  /** What a person writes of the claim that the first edit would be; null where none is being written. */
  readonly claim: ClaimText | null
}

export interface ClaimText {
  readonly hypothesis: string
  readonly concept: string
  /** Which way the target should move; '' as the edit suggests. */
  readonly direction: Direction | ''
  readonly smallest: number
}

const orders = ['sum', 'max', 'norm', 'specificity'] as const
/** Lengths that may be asked for. */
export const lengths = [0, 8, 16, 32, 64]
const emptyClaim: ClaimText = { hypothesis: '', concept: '', direction: '', smallest: 0.1 }
/** What a claim begins as. */
export const newClaim = (): ClaimText => emptyClaim

/** The query of the address; what is as usual is left out. */
export function searchOf(state: State): string {
  const { sae, text, second, edits, target, distractor, order, frozen, length, temperature, seed, claim } = state
  const query = new URLSearchParams({ sae, text })
  if (second !== null) query.set('second', second)
  for (const { latent, kind, strength } of edits) query.append('edit', `${latent}:${kind}:${strength ?? 1}`)
  for (const [name, value] of Object.entries({ target, distractor })) if (value) query.set(name, value)
  if (order !== 'max') query.set('order', order)
  if (frozen) query.set('frozen', '1')
  for (const [name, value] of Object.entries({ length, temperature, seed })) if (value) query.set(name, String(value))
  if (claim) {
    query.set('claim', '1')
    for (const [name, value] of Object.entries(claim))
      if (value !== emptyClaim[name as keyof ClaimText]) query.set(name, String(value))
  }
  return query.toString()
}

/** What a page begins with that was given no text: the built-in model knows the words of its own language alone. */
const texts = {
  usual: 'The cat sat on the mat.',
  toyworld: 'Marta practises the flute every evening . Oscar plays the',
}

/** What an address asks for. What is none of its values is as usual. */
export function stateOf(
  search: string,
  firstSae: string,
  models: ReadonlyMap<string, string | null> = new Map(),
): State {
  const query = new URLSearchParams(search)
  const number = (name: string, least: number, most: number, usual = 0) => {
    const value = Number(query.get(name) ?? usual)
    return Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : usual
  }
  const edits = query.getAll('edit').flatMap((text): PlayEdit[] => {
    const [latent, kind, strength] = text.split(':')
    const known = kind !== undefined && Object.hasOwn(kinds, kind)
    return known && /^\d+$/.test(latent!)
      ? [{ latent: Number(latent), kind: kind as Kind, strength: Math.min(100, Math.max(-100, Number(strength) || 0)) }]
      : []
  })
  const one = (name: string) => query.get(name) ?? ''
  const length = number('length', 0, 64)
  const direction = (['increase', 'decrease'] as const).find(name => name === one('direction')) ?? ''
  const sae = query.get('sae') ?? firstSae
  return {
    sae,
    text: query.get('text') ?? (models.get(sae) === 'toyworld' ? texts.toyworld : texts.usual),
    ...{ second: query.get('second'), edits, target: one('target'), distractor: one('distractor') },
    order: orders.find(name => name === one('order')) ?? 'max',
    frozen: query.has('frozen'),
    length: lengths.includes(length) ? length : 0,
    temperature: number('temperature', 0, 10),
    seed: Math.floor(number('seed', 0, 2 ** 31)),
    claim: query.has('claim')
      ? {
          ...{ hypothesis: one('hypothesis'), concept: one('concept'), direction },
          smallest: number('smallest', 1e-6, 1e6, emptyClaim.smallest),
        }
      : null,
  }
}
