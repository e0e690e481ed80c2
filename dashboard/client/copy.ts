/** Copying a figure: its table as CSV with exact values, its drawing as an SVG that stands by itself. */
import { announce, element } from './dom.ts'

const drawn = [
  'fill',
  'fill-opacity',
  'stroke',
  'stroke-width',
  'stroke-dasharray',
  'font-size',
  'font-family',
  'opacity',
]

/** The rows of a table: exact values where cells have them. */
export function csvOf(table: HTMLTableElement): string {
  const quoted = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  return [...table.rows]
    .map(row => [...row.cells].map(cell => quoted(cell.dataset.value ?? cell.textContent.trim())).join(','))
    .join('\n')
}

/** The drawing with the colours that it has now, for use elsewhere. */
export function svgOf(svg: SVGSVGElement): string {
  const copy = svg.cloneNode(true) as SVGSVGElement
  const [from, to] = [svg, copy].map(one => [...one.querySelectorAll('*')]) as [Element[], Element[]]
  from.forEach((source, i) => {
    const look = getComputedStyle(source)
    for (const name of drawn) to[i]!.setAttribute(name, look.getPropertyValue(name))
    to[i]!.removeAttribute('class')
  })
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  const [, , width, height] = copy.getAttribute('viewBox')!.split(' ')
  copy.setAttribute('width', width!)
  copy.setAttribute('height', height!)
  return copy.outerHTML
}

/** Puts a text on the clipboard; where a browser forbids that, it is shown to be copied by hand. */
export async function copied(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    announce(`${what} copied.`)
  } catch {
    // A browser may forbid it; then the text is shown, marked, to be copied by hand.
    const dialog = element('dialog', { class: 'copy' })
    const field = element('textarea', { rows: '12', 'aria-label': what, readonly: '' })
    field.value = text
    dialog.append(field, element('form', { method: 'dialog' }, element('button', { text: 'Close' })))
    document.body.append(dialog)
    dialog.addEventListener('close', () => dialog.remove())
    dialog.showModal()
    field.select()
  }
}

/** Gives every figure below `root` its buttons. */
export function addCopyButtons(root: ParentNode): void {
  for (const figure of root.querySelectorAll('figure.chart')) {
    const table = figure.querySelector<HTMLTableElement>('.twin table')
    const svg = figure.querySelector<SVGSVGElement>('svg')
    if (!table || figure.querySelector('.copies')) continue
    const name = figure.getAttribute('data-name') ?? 'figure'
    const csv = element('button', { type: 'button', text: 'Copy CSV', 'aria-label': `Copy CSV: ${name}` })
    csv.addEventListener('click', () => copied(csvOf(table), 'CSV'))
    const buttons = element('div', { class: 'copies' }, csv)
    if (svg) {
      const picture = element('button', { type: 'button', text: 'Copy SVG', 'aria-label': `Copy SVG: ${name}` })
      picture.addEventListener('click', () => copied(svgOf(svg), 'SVG'))
      buttons.append(picture)
    }
    figure.append(buttons)
  }
}
