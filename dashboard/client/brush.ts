/** A box drawn over the frontier chooses the runs within it: they are ticked in the list, and the page of these is asked for. */

/** Pixels from which a press with a movement is a box. */
const least = 6

/** Listens for boxes on frontiers; `data-groups` around a drawing holds the runs of each mark. */
export function chooseByBox(): void {
  document.addEventListener('pointerdown', down => {
    const svg = (down.target as Element).closest<SVGSVGElement>('.frontier svg.scatter')
    const form = document.querySelector<HTMLFormElement>('#choice')
    const matrix = svg?.getScreenCTM()?.inverse()
    if (!svg || !form || !matrix || down.button !== 0) return
    const groups = JSON.parse(svg.closest<HTMLElement>('.frontier')!.dataset.groups!) as string[][]
    const at = (event: PointerEvent) => new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix)
    const start = at(down)
    const box = document.createElementNS('http://www.w3.org/2000/svg', 'rect')
    box.classList.add('brush')
    const cover = (event: PointerEvent) => {
      const end = at(event)
      const [x, y] = [Math.min(start.x, end.x), Math.min(start.y, end.y)]
      return { x, y, width: Math.abs(end.x - start.x), height: Math.abs(end.y - start.y) }
    }
    const move = (event: PointerEvent) => {
      const found = cover(event)
      if (Math.hypot(found.width, found.height) < least) return
      for (const [name, value] of Object.entries(found)) box.setAttribute(name, String(value))
      if (!box.isConnected) svg.append(box)
    }
    const end = () => {
      removeEventListener('pointermove', move)
      removeEventListener('pointerup', up)
      removeEventListener('pointercancel', end)
      box.remove()
    }
    const up = (event: PointerEvent) => {
      const wasBox = box.isConnected
      end()
      if (!wasBox) return
      // The press was no press on a mark.
      svg.addEventListener('click', click => click.stopImmediatePropagation(), { capture: true, once: true })
      const { x, y, width, height } = cover(event)
      const chosen = new Set(
        [...svg.querySelectorAll<SVGGraphicsElement>('[data-row]')].flatMap(mark => {
          const place = mark.getBBox()
          const [px, py] = [place.x + place.width / 2, place.y + place.height / 2]
          return px >= x && px <= x + width && py >= y && py <= y + height ? groups[Number(mark.dataset.row)]! : []
        }),
      )
      if (chosen.size === 0) return
      for (const field of form.querySelectorAll<HTMLInputElement>('input[name=run]'))
        field.checked = chosen.has(field.value)
      form.requestSubmit()
    }
    addEventListener('pointermove', move)
    addEventListener('pointerup', up)
    addEventListener('pointercancel', end)
  })
}
