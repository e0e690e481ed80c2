/** Examples of a feature in tabs: the strongest, some of each band, and text on which it is silent. HTML. */
import { examples } from '../../api/contracts/feature.ts'
import { escapeHtml, shown } from '../../html.ts'
import { exampleLine, type Shown } from '../../report/features.ts'
import { type Ask, notRun } from './ask.ts'

/** Tokens on each side of the strongest one, by the name of the width. */
const widths: Readonly<Record<string, number>> = { '5': 5, '16': 16, full: Number.POSITIVE_INFINITY }

export interface ExamplesAsked {
  readonly run: string
  readonly latent: string
  readonly group: string
  readonly width: string
  /** Of the curve above, to be kept. */
  readonly threshold: string
  /** The largest activation: the scale of all shades. */
  readonly largest: number
}

/** The tabs and the examples of one of them. */
export async function examplesHtml(ask: Ask, asked: ExamplesAsked): Promise<string> {
  const { run, latent, largest } = asked
  const all = await ask(examples, { parts: { run, latent }, query: { limit: '500' } })
  if (all.total === 0)
    return notRun('this latent has no examples: it never fired on the text that was read for labels.')
  const group = all.groups.some(one => one.group === asked.group) ? asked.group : all.groups[0]!.group
  const width = Object.hasOwn(widths, asked.width) ? asked.width : '16'
  const to = (next: { group?: string; width?: string }) =>
    escapeHtml(
      `?${new URLSearchParams({ examples: next.group ?? group, width: next.width ?? width, ...(asked.threshold && { threshold: asked.threshold }) })}#examples`,
    )
  const tab = (href: string, text: string, isOpen: boolean) =>
    `<a href="${href}"${isOpen ? ' aria-current="true"' : ''}>${text}</a>`
  const tabs = all.groups.map(one =>
    tab(to({ group: one.group }), `${shown(one.group)} (${one.count})`, one.group === group),
  )
  const sizes = Object.keys(widths).map(name =>
    tab(to({ width: name }), name === 'full' ? 'all there is' : `${name} tokens`, name === width),
  )
  const chosen = all.examples.filter(one => one.group === group) as unknown as Shown[]
  return `<nav class="tabs" aria-label="Kinds of examples">${tabs.join('')}</nav>
<nav class="tabs" aria-label="Width of examples">${sizes.join('')}</nav>
<div class="examples">${grouped(chosen)
    .map(
      ({ example, count }) =>
        `${exampleLine(cut(example, widths[width]!), largest)}${count > 1 ? `<p class="soft">The same text ${count} times.</p>` : ''}`,
    )
    .join('')}</div>`
}

/** Equal texts once, with how often they come. */
function grouped(found: readonly Shown[]): { example: Shown; count: number }[] {
  const bySequence = new Map<string, { example: Shown; count: number }>()
  for (const example of found) {
    const key = JSON.stringify([example.tokens, example.activations])
    const known = bySequence.get(key)
    if (known) known.count++
    else bySequence.set(key, { example, count: 1 })
  }
  return [...bySequence.values()]
}

/** The tokens around the strongest one. */
function cut(example: Shown, width: number): Shown {
  const peak = example.position - example.start
  const from = Math.max(0, peak - width)
  const to = Math.min(example.tokens.length, peak + width + 1)
  return {
    ...example,
    start: example.start + from,
    tokens: example.tokens.slice(from, to),
    activations: example.activations.slice(from, to),
  }
}
