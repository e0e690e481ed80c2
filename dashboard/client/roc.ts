/** The slider of a ROC curve: what a threshold gives follows it, from the rows of the curve's table; the address says which it is. */
import { thresholdText } from '../charts/roc.ts'

/** Makes sliders below `root` answer. Without scripts the form asks for the page of its threshold. */
export function followThresholds(root: ParentNode): void {
  for (const form of root.querySelectorAll<HTMLFormElement>('form[data-roc]')) {
    const slider = form.querySelector<HTMLInputElement>('input[type=range]')
    const figure = form.parentElement?.querySelector<HTMLElement>('figure')
    const table = figure?.querySelector<HTMLTableElement>('.twin table')
    const said = form.parentElement?.querySelector<HTMLElement>('[data-said]')
    const ring = figure?.querySelector<SVGCircleElement>('.chosen')
    const path = figure?.querySelector('path.line')?.getAttribute('d') ?? ''
    if (!slider || !table || !said) continue
    const places = [...path.matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)]
    const points = [...table.tBodies[0]!.rows].map(row => {
      const values = [...row.cells].map(({ dataset }) => (dataset.value === '' ? null : Number(dataset.value)))
      const share = (from: number) => ({ value: values[from]!, low: values[from + 1]!, high: values[from + 2]! })
      const [threshold, falseAlarms, truePositives, falsePositives] = [0, 7, 8, 9].map(i => values[i]!)
      return {
        ...{ threshold: threshold!, recall: share(1), precision: share(4), falseAlarms: falseAlarms! },
        ...{ truePositives: truePositives!, falsePositives: falsePositives! },
      }
    })
    form.querySelector('button')?.remove()
    slider.addEventListener('input', () => {
      const wanted = Number(slider.value)
      // The lowest threshold that is not below the slider's: what it calls, the slider's calls, too.
      const place = Math.max(
        0,
        points.findLastIndex(({ threshold }) => threshold >= wanted),
      )
      said.textContent = thresholdText(points[place]!)
      const query = new URLSearchParams(location.search)
      query.set('threshold', String(points[place]!.threshold))
      history.replaceState(null, '', `?${query}${location.hash}`)
      const [, x, y] = places[place] ?? []
      if (x && y) {
        ring?.setAttribute('cx', x)
        ring?.setAttribute('cy', y)
      }
    })
  }
}
