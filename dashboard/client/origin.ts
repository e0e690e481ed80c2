/** Where a number is from: pressed, it says its definition, n, split, file and row, and how to get it there. */
import { element } from './dom.ts'
import { questionOf } from './question.ts'

/** What it is, the text, and what the text means. */
type Fact = readonly [term: string, text: string | undefined, meaning?: string | undefined]

/** What is known of a number, or of the numbers of a chart's mark. */
export interface Known {
  readonly name: string
  readonly value: string
  /** In the order in which they are said; those without a text are left out. */
  readonly facts: readonly Fact[]
  /** The row of the chart's table that says the same. */
  readonly row?: HTMLTableRowElement | undefined
}

/** The nearest value of a data attribute from the element outwards. */
const inherited = (from: Element, name: string) => from.closest<HTMLElement>(`[data-${name}]`)?.dataset[name]

const headOf = (cell: HTMLTableCellElement) => cell.closest('table')?.tHead?.rows[0]?.cells[cell.cellIndex]

/** What is known of a number; undefined where it has no origin. */
function knownOf(target: HTMLElement): Known | undefined {
  if (inherited(target, 'file') === undefined) return undefined
  const cell = target.closest('td')
  const head = cell && headOf(cell)
  const row = target.closest('tr')
  return {
    name: target.dataset.name ?? head?.textContent ?? 'Number',
    value: target.textContent.trim(),
    facts: [
      ['Exactly', cell?.dataset.value],
      ['Definition', target.dataset.definition ?? head?.dataset.definition],
      ...placeOf(target, target.dataset.path ?? cell?.dataset.path ?? head?.dataset.path),
    ],
    ...(row?.closest('.twin') ? { row } : {}),
  }
}

/** What is known of a mark: all that the row of its table says. */
export function knownOfRow(row: HTMLTableRowElement): Known {
  const cells = [...row.cells]
  const named = (cell: HTMLTableCellElement) => headOf(cell)?.textContent ?? ''
  const texts = cells.filter(cell => !cell.classList.contains('number'))
  const numbers = cells.filter(cell => cell.classList.contains('number'))
  const pathOf = (cell: HTMLTableCellElement) => cell.dataset.path ?? headOf(cell)?.dataset.path
  const said = new Set<string | undefined>()
  const meaning = (cell: HTMLTableCellElement) => {
    const { definition } = headOf(cell)?.dataset ?? {}
    const isNew = !said.has(definition)
    said.add(definition)
    return isNew ? definition : undefined
  }
  return {
    name: texts[0]?.textContent ?? '',
    value: '',
    facts: [
      ...texts.slice(1).map((cell): Fact => [named(cell), cell.textContent]),
      ...numbers.map((cell): Fact => [named(cell), cell.dataset.value || 'missing', meaning(cell)]),
      ...placeOf(
        row,
        numbers.map(pathOf).find(path => path !== undefined),
      ),
    ],
    row,
  }
}

/** n, split, run, file and row of what `target` shows, and a line for a shell that prints it. */
function placeOf(target: Element, path: string | undefined): Fact[] {
  const [run, file] = [inherited(target, 'run'), inherited(target, 'file')]
  const asked = target.closest<HTMLElement>('[data-post]')?.dataset
  if (asked)
    return [
      ['n', inherited(target, 'n')],
      ['Split', inherited(target, 'split')],
      ['Run', run],
      ['Computed from', `${file} and its model`],
      ['In the answer', path],
      ['Get it', path && questionOf(location.origin + asked.post, asked.body!, path)],
    ]
  const where = inherited(target, 'where')
  const row = file?.endsWith('.json') ? [where, path].filter(Boolean).join('.') : where
  const column = file?.endsWith('.json') ? undefined : path
  return [
    ['n', inherited(target, 'n')],
    ['Split', inherited(target, 'split')],
    ['Run', run],
    ['File', file],
    ['Row', file === undefined ? undefined : row],
    ['Column', column],
    ['Get it', run && file && row && commandOf(`runs/${run}/${file}`, row, column)],
  ]
}

/** A line for a shell that prints the value from its file. */
export function commandOf(file: string, row: string, column = ''): string | undefined {
  if (file.endsWith('.parquet')) return `duckdb -c "select ${column || '*'} from '${file}' where ${row}"`
  if (file.endsWith('.jsonl')) return `jq -c 'select(${row})${column && ` | .${column}`}' ${file}`
  return file.endsWith('.json') ? `jq '.${row}' ${file}` : undefined
}

/** Says it in a panel; the focus comes back to `beside` when that is closed. */
export function tell({ name, value, facts, row }: Known, beside: { focus(): void }): void {
  document.getElementById('origin')?.remove()
  const list = element('dl')
  for (const [term, text, meaning] of facts)
    if (text)
      list.append(
        element('dt', { text: term }),
        element(
          'dd',
          {},
          element(term === 'Get it' ? 'code' : 'span', { text }),
          ...(meaning ? [element('small', { text: meaning })] : []),
        ),
      )
  const close = element('button', { type: 'button', text: 'Close' })
  const buttons = element('p', {}, close)
  const panel = element(
    'div',
    { id: 'origin', popover: 'auto', role: 'dialog', 'aria-label': `Where ${name} is from` },
    element('p', {}, element('b', { text: `${name} ${value}`.trim() })),
    list,
    buttons,
  )
  let next = beside
  if (row) {
    const find = element('button', { type: 'button', text: 'Show it in the table' })
    find.addEventListener('click', () => {
      next = { focus: () => showRow(row) }
      panel.hidePopover()
    })
    buttons.append(' ', find)
  }
  document.body.append(panel)
  close.addEventListener('click', () => panel.hidePopover())
  panel.addEventListener('toggle', event => {
    if ((event as ToggleEvent).newState !== 'closed') return
    panel.remove()
    next.focus()
  })
  panel.showPopover()
  close.focus()
}

/** Opens a chart's table at a row. */
function showRow(row: HTMLTableRowElement): void {
  row.closest('details')!.open = true
  row.tabIndex = -1
  row.classList.add('found')
  row.addEventListener('blur', () => row.classList.remove('found'), { once: true })
  row.focus()
  row.scrollIntoView({ block: 'center' })
}

/** Makes numbers below `root` that have an origin things that one can press. */
export function addOrigins(root: ParentNode): void {
  for (const one of root.querySelectorAll<HTMLElement>('td.number > span, .value')) {
    if (
      one.hasAttribute('role') ||
      !one.closest('[data-file]') ||
      !/\d/.test(one.textContent) ||
      one.querySelector('a')
    )
      continue
    one.setAttribute('role', 'button')
    one.tabIndex = 0
    one.classList.add('known')
  }
}

/** Answers presses on such numbers. */
export function answerOrigins(): void {
  const open = (event: Event) => {
    const target = (event.target as HTMLElement).closest<HTMLElement>('.known')
    const known = target && knownOf(target)
    if (!target || !known) return
    event.preventDefault()
    tell(known, target)
  }
  document.addEventListener('click', open)
  document.addEventListener('keydown', event => {
    if (event.key === 'Enter' || event.key === ' ') open(event)
  })
}
