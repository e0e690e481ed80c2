/** Where a number is from: a click on it says its definition, n, split, file and row, and how to get it there. */
import { element } from './dom.ts'

interface Origin {
  readonly name: string
  readonly value: string
  readonly facts: readonly (readonly [string, string])[]
}

/** The nearest value of a data attribute from the cell outwards. */
const inherited = (from: Element, name: string) => from.closest<HTMLElement>(`[data-${name}]`)?.dataset[name]

/** What is known of a number; undefined where it is no number with an origin. */
function originOf(target: HTMLElement): Origin | undefined {
  const cell = target.closest('td')
  const table = cell?.closest('table')
  const head = cell && table?.tHead?.rows[0]?.cells[cell.cellIndex]
  const file = inherited(target, 'file')
  if (file === undefined) return undefined
  const run = inherited(target, 'run') ?? ''
  const path = target.dataset.path ?? head?.dataset.path
  const where = [inherited(target, 'where'), path].filter(Boolean).join('.')
  const definition = target.dataset.definition ?? head?.dataset.definition
  const facts: [string, string | undefined][] = [
    ['Definition', definition],
    ['n', inherited(target, 'n')],
    ['Split', inherited(target, 'split')],
    ['Run', run],
    ['File', file],
    ['Row', where],
    ['Get it', commandOf(run, file, where)],
  ]
  return {
    name: head?.textContent ?? target.dataset.name ?? 'Number',
    value: target.textContent.trim(),
    facts: facts.filter((fact): fact is [string, string] => !!fact[1]),
  }
}

/** A line for a shell that prints the value from its file. */
function commandOf(run: string, file: string, where: string): string | undefined {
  if (where === '') return undefined
  if (file.endsWith('.json')) return `jq '.${where}' runs/${run}/${file}`
  if (file.endsWith('.parquet')) return `duckdb -c "select * from 'runs/${run}/${file}' where ${where}"`
  return undefined
}

function show(origin: Origin, beside: HTMLElement): void {
  document.getElementById('origin')?.remove()
  const list = element('dl')
  for (const [term, text] of origin.facts)
    list.append(
      element('dt', { text: term }),
      element('dd', {}, element(term === 'Get it' ? 'code' : 'span', { text })),
    )
  const close = element('button', { type: 'button', text: 'Close' })
  const panel = element(
    'div',
    { id: 'origin', popover: 'auto', role: 'dialog', 'aria-label': `Where ${origin.name} is from` },
    element('p', {}, element('b', { text: `${origin.name} ${origin.value}` })),
    list,
    close,
  )
  document.body.append(panel)
  close.addEventListener('click', () => panel.hidePopover())
  panel.addEventListener('toggle', event => {
    if ((event as ToggleEvent).newState === 'closed') {
      panel.remove()
      beside.focus()
    }
  })
  panel.showPopover()
  close.focus()
}

/** Makes numbers below `root` that have an origin things that one can press. */
export function addOrigins(root: ParentNode): void {
  for (const one of root.querySelectorAll<HTMLElement>('[data-file] td.number > span, [data-file] .value')) {
    if (one.hasAttribute('role') || !/\d/.test(one.textContent) || one.querySelector('a')) continue
    one.setAttribute('role', 'button')
    one.tabIndex = 0
    one.classList.add('known')
  }
}

/** Answers presses on such numbers. */
export function answerOrigins(): void {
  const open = (event: Event) => {
    const target = (event.target as HTMLElement).closest<HTMLElement>('.known')
    const origin = target && originOf(target)
    if (!target || !origin) return
    event.preventDefault()
    show(origin, target)
  }
  document.addEventListener('click', open)
  document.addEventListener('keydown', event => {
    if (event.key === 'Enter' || event.key === ' ') open(event)
  })
}
