/** Ways to change text that should leave what a latent does: text in front, a cut beginning, typos, and toyworld told again. */
import { Random } from '../../core/random.ts'
import type { Document, TokenDataset, TokenWindow } from '../../datasets/document.ts'
import type { Tokenizer } from '../../datasets/tokenizer/index.ts'
import { languages, type Retelling, toyworldDocument } from '../../datasets/toyworld/index.ts'

/** What shifts are made with. */
export interface ShiftSource {
  readonly dataset: TokenDataset
  /** Text to put in front, a window each by lot. */
  readonly neutral: readonly TokenWindow[]
  readonly tokenizer?: Pick<Tokenizer, 'encodeAll' | 'decode'> | undefined
  readonly seed: number
  /** Tokens of a window at most. */
  readonly longest: number
}

/** Changed windows in the order given, null where a window cannot be changed so, and the dataset that they are of. */
export interface Shifted {
  readonly dataset: TokenDataset
  readonly windows: readonly (TokenWindow | null)[]
}

export interface Shift {
  readonly name: string
  /** Undefined where the text cannot be changed so. */
  make(source: ShiftSource, windows: readonly TokenWindow[]): Promise<Shifted | undefined>
}

/** Tokens put in front. */
const prefixTokens = 24
/** Share of the tokens that get a typo, of those that have letters enough. */
const typoShare = 0.15
const typoLetters = 4
/** Windows shorter than this are not cut. */
const shortestCut = 8

type Cell = readonly [token: number, document: number, offset: number]

const cellsOf = ({ tokens, documents, offsets }: TokenWindow): Cell[] =>
  Array.from(tokens, (token, i) => [token, documents[i]!, offsets[i]!])

/** Whether the window opens with a BOS token, which stays in front. */
const opens = ({ offsets }: TokenWindow) => (offsets[0] === -1 ? 1 : 0)

function withCells(window: TokenWindow, cells: readonly Cell[], longest: number): TokenWindow {
  const kept = cells.slice(0, longest)
  return {
    ...window,
    tokens: Int32Array.from(kept, ([token]) => token),
    documents: Uint32Array.from(kept, ([, document]) => document),
    offsets: Int32Array.from(kept, ([, , offset]) => offset),
  }
}

const position: Shift = {
  name: 'position',
  async make({ dataset, neutral, seed, longest }, windows) {
    if (neutral.length === 0) return undefined
    return {
      dataset,
      windows: windows.map(window => {
        const own = cellsOf(window)
        const others = neutral.filter(({ id }) => id !== window.id)
        const other = others.length > 0 ? new Random(seed, 'prefix', window.id).pick(others) : undefined
        const front = other ? cellsOf(other).slice(opens(other), opens(other) + prefixTokens) : []
        const room = Math.max(0, longest - own.length)
        if (front.length === 0 || room === 0) return null
        const start = opens(window)
        return withCells(window, [...own.slice(0, start), ...front.slice(0, room), ...own.slice(start)], longest)
      }),
    }
  },
}

const length: Shift = {
  name: 'length',
  async make({ dataset, longest }, windows) {
    return {
      dataset,
      windows: windows.map(window => {
        const own = cellsOf(window)
        const start = opens(window)
        if (own.length - start < shortestCut) return null
        return withCells(window, [...own.slice(0, start), ...own.slice(start + ((own.length - start) >> 1))], longest)
      }),
    }
  },
}

const typos: Shift = {
  name: 'typos',
  async make({ dataset, tokenizer, seed, longest }, windows) {
    if (!tokenizer) return undefined
    const texts = new Map<number, string>()
    for (const { tokens } of windows)
      for (const token of tokens) if (!texts.has(token)) texts.set(token, await tokenizer.decode([token]))
    const drawn = windows.map(window => {
      const random = new Random(seed, 'typos', window.id)
      return cellsOf(window).map(([token, , offset]) => {
        const text = texts.get(token)!
        const wanted = random.uniform() < typoShare
        return wanted && offset >= 0 && letters(text).length >= typoLetters ? mistyped(text, random) : undefined
      })
    })
    const wrong = [...new Set(drawn.flat().filter(text => text !== undefined))]
    const encoded = await tokenizer.encodeAll(wrong)
    const known = new Map(wrong.map((text, i) => [text, encoded[i]!]))
    const changed = windows.map((window, w) => {
      const cells = cellsOf(window).flatMap((cell, i): Cell[] => {
        const tokens = drawn[w]![i] === undefined ? undefined : known.get(drawn[w]![i]!)
        return tokens && tokens.length > 0 ? Array.from(tokens, token => [token, cell[1], cell[2]]) : [cell]
      })
      const same = cells.length === window.tokens.length && cells.every(([token], i) => token === window.tokens[i])
      return same ? null : withCells(window, cells, longest)
    })
    return changed.every(window => window === null) ? undefined : { dataset, windows: changed }
  },
}

const letters = (text: string) => [...text.matchAll(/\p{L}/gu)].map(({ index }) => index)

/** Two neighbouring letters change places, one goes, or one comes twice. */
function mistyped(text: string, random: Random): string {
  const places = letters(text)
  const at = places[1 + random.int(places.length - 2)]!
  const kind = random.int(3)
  if (kind === 0) return text.slice(0, at) + text[at + 1]! + text[at]! + text.slice(at + 2)
  return kind === 1 ? text.slice(0, at) + text.slice(at + 1) : text.slice(0, at + 1) + text.slice(at)
}

/** Toyworld documents generated again. */
function retelling(name: string, how: (document: Document) => Retelling): Shift {
  return {
    name,
    async make({ dataset, longest }, windows) {
      if (dataset.config?.path !== 'toyworld') return undefined
      const documents: Document[] = []
      const made = windows.map(window => {
        const start = opens(window)
        const own = dataset.documents.at(window.documents[start]!)!
        const [, seed, index] = /^toyworld-(\d+)-(\d+)$/.exec(own.id) ?? []
        if (seed === undefined || window.offsets[start] !== 0) return null
        const { document } = toyworldDocument(Number(seed), Number(index), how(own))
        documents.push(document)
        const place = documents.length - 1
        const bos = cellsOf(window)
          .slice(0, start)
          .map(([token]): Cell => [token, place, -1])
        return withCells(
          window,
          [...bos, ...Array.from(document.tokens!, (token, i): Cell => [token, place, i])],
          longest,
        )
      })
      return made.every(window => window === null) ? undefined : { dataset: { ...dataset, documents }, windows: made }
    },
  }
}

const nextLanguage = ({ strata }: Document) =>
  languages[((languages as readonly string[]).indexOf(strata.language ?? '') + 1) % languages.length]!

/** The shifts, in the order in which they are reported. */
export const shifts: readonly Shift[] = [
  position,
  length,
  typos,
  retelling('paraphrase', ({ strata }) => ({
    paraphrase: 1,
    language: languages.find(language => language === strata.language)!,
  })),
  retelling('language', document => ({ language: nextLanguage(document) })),
]
