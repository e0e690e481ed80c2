/** Marks around tokens, of a kind that the texts themselves do not have. */

/** Share of the example's largest activation from which on a token is marked. */
const markThreshold = 0.3

/** Whether a token of an example is marked. */
export function firesAt({ activations }: { readonly activations: readonly number[] }): (i: number) => boolean {
  const most = activations.reduce((max, value) => Math.max(max, value), 0)
  return i => activations[i]! > 0 && activations[i]! >= markThreshold * most
}

const pairs = [
  ['<<', '>>'],
  ['⟦', '⟧'],
  ['⟪', '⟫'],
  ['⦃', '⦄'],
] as const

/** Opening and closing marks that stand in none of the texts; where all do, longer ones that do not. */
export function marksFor(texts: readonly string[]): readonly [string, string] {
  const free = pairs.find(([open, close]) => texts.every(text => !text.includes(open) && !text.includes(close)))
  if (free) return free
  for (let length = 3; ; length++) {
    const [open, close] = ['<'.repeat(length), '>'.repeat(length)]
    if (texts.every(text => !text.includes(open) && !text.includes(close))) return [open, close]
  }
}

/** A text of tokens with marks around each run of those that are marked. */
export function marked(
  tokens: readonly string[],
  isMarked: (i: number) => boolean,
  [open, close]: readonly [string, string],
): string {
  let text = ''
  for (let i = 0; i < tokens.length; i++) {
    if (isMarked(i) && (i === 0 || !isMarked(i - 1))) text += open
    text += tokens[i]
    if (isMarked(i) && (i === tokens.length - 1 || !isMarked(i + 1))) text += close
  }
  return text
}
