/**
 * The marks of a drawing lead to where their numbers are from: by a press near one, and by keys: the drawing is one stop, arrows
 * go from mark to mark, Enter says where its numbers are from. What a mark says is a row of the chart's table.
 */
import { announce } from './dom.ts'
import { knownOfRow, tell } from './origin.ts'

/** A mark's place in the drawing's own coordinates, and its row of the table. */
interface Mark {
  readonly row: number
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** Pixels from a mark at which a press still means it. */
const reach = 16

/** The marks in the order of the table: elements with `data-row`, and the points of paths with `data-rows`. */
function marksOf(svg: SVGSVGElement): Mark[] {
  const elements = [...svg.querySelectorAll<SVGGraphicsElement>('[data-row]')].map((one): Mark => {
    const { x, y, width, height } = one.getBBox()
    return { row: Number(one.dataset.row), x, y, width, height }
  })
  const points = [...svg.querySelectorAll<SVGPathElement>('[data-rows]')].flatMap(path => {
    const places = [...path.getAttribute('d')!.matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)]
    const rows = path.dataset.rows!.split(',').flatMap(range => {
      const [from, to = from] = range.split('-').map(Number) as [number, number?]
      return Array.from({ length: to - from + 1 }, (_, i) => from + i)
    })
    return places.map(
      ([, x, y], i): Mark => ({ row: rows[i]!, x: Number(x) - 4, y: Number(y) - 4, width: 8, height: 8 }),
    )
  })
  return [...elements, ...points].sort((a, b) => a.row - b.row)
}

/** How far a point is from a mark: 0 within it. */
function distance({ x, y, width, height }: Mark, px: number, py: number): number {
  return Math.hypot(Math.max(x - px, 0, px - x - width), Math.max(y - py, 0, py - y - height))
}

/** What a row of the table says, for those who hear it. */
function spoken(row: HTMLTableRowElement): string {
  const heads = row.closest('table')!.tHead!.rows[0]!.cells
  return [...row.cells]
    .filter(cell => cell.textContent !== '')
    .map(cell => (cell.classList.contains('number') ? `${heads[cell.cellIndex]!.textContent} ` : '') + cell.textContent)
    .join(', ')
}

/** Makes the marks of figures below `root` answer. */
export function followMarks(root: ParentNode): void {
  for (const figure of root.querySelectorAll<HTMLElement>('figure.chart')) {
    const drawing = figure.querySelector<HTMLElement>('.drawing')
    const svg = drawing?.querySelector<SVGSVGElement>('svg')
    const table = figure.querySelector<HTMLTableElement>('.twin table')
    if (!drawing || !svg || !table || drawing.dataset.marks || !svg.querySelector('[data-row],[data-rows]')) continue
    drawing.dataset.marks = 'known'
    drawing.tabIndex = 0
    drawing.setAttribute('role', 'group')
    const title = figure.dataset.name ?? 'Chart'
    drawing.setAttribute('aria-label', `${title}: arrows go from mark to mark, Enter says where one is from`)
    let marks: Mark[] | undefined
    let current = -1
    const all = () => {
      marks ??= marksOf(svg)
      return marks
    }
    const ring = document.createElementNS('http://www.w3.org/2000/svg', 'rect')
    ring.classList.add('current')
    const mark = (next: number) => {
      current = next
      const one = all()[next]
      if (!one) return ring.remove()
      for (const [name, value] of Object.entries({
        ...{ x: one.x - 2, y: one.y - 2, width: one.width + 4, height: one.height + 4, rx: 3 },
      }))
        ring.setAttribute(name, String(value))
      svg.append(ring)
    }
    const rowOf = (place: number) => table.tBodies[0]!.rows[all()[place]?.row ?? -1]
    const open = () => {
      const row = rowOf(current)
      if (row) tell(knownOfRow(row), drawing)
    }
    drawing.addEventListener('keydown', event => {
      const last = all().length - 1
      const to = {
        ArrowRight: Math.min(last, current + 1),
        ArrowDown: Math.min(last, current + 1),
        ArrowLeft: Math.max(0, current - 1),
        ArrowUp: Math.max(0, current - 1),
        Home: 0,
        End: last,
      }[event.key]
      if (to !== undefined) {
        mark(to)
        const row = rowOf(to)
        if (row) announce(spoken(row))
      } else if (event.key === 'Enter' || event.key === ' ') open()
      else return
      event.preventDefault()
    })
    drawing.addEventListener('focusout', event => {
      if (event.relatedTarget !== document.getElementById('origin')?.querySelector('button')) mark(-1)
    })
    svg.addEventListener('click', event => {
      const matrix = svg.getScreenCTM()
      if (!matrix) return
      const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse())
      const far = all().map(one => distance(one, x, y))
      const nearest = far.indexOf(Math.min(...far))
      if (nearest < 0 || far[nearest]! * matrix.a > reach) return
      mark(nearest)
      open()
    })
  }
}
