/** Keys: / search, j k rows, [ ] the feature before and after, ? help. They can be switched off (WCAG 2.1.4). */
import { element, isTyping } from './dom.ts'

const store = 'pipeline-keys'
const texts: Readonly<Record<string, string>> = {
  '/': 'to the search',
  j: 'next row',
  k: 'row before',
  '[': 'feature before',
  ']': 'next feature',
  '?': 'this help',
}

const areOn = () => localStorage.getItem(store) !== 'off'

function step(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-rows] tbody a, [data-rows] tbody [data-row]')]
  const firsts = rows.filter((one, i) => one.closest('tr') !== rows[i - 1]?.closest('tr'))
  const at = firsts.findIndex(one => one.closest('tr')?.contains(document.activeElement))
  firsts[at < 0 ? (by === 1 ? 0 : firsts.length - 1) : Math.min(firsts.length - 1, Math.max(0, at + by))]?.focus()
}

function help(): void {
  const list = element('dl')
  for (const [key, text] of Object.entries(texts))
    list.append(element('dt', {}, element('kbd', { text: key })), element('dd', { text }))
  const on = element('input', { type: 'checkbox' })
  on.checked = areOn()
  on.addEventListener('change', () => localStorage.setItem(store, on.checked ? 'on' : 'off'))
  const label = element('label', {}, on, document.createTextNode(' keys are on'))
  const dialog = element(
    'dialog',
    { 'aria-label': 'Keys', class: 'keys' },
    element('h2', { text: 'Keys' }),
    list,
    element('p', {}, label),
    element('form', { method: 'dialog' }, element('button', { text: 'Close' })),
  )
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
}

/** Listens to the keys, and to the button that shows them. */
export function listenToKeys(): void {
  document.getElementById('show-keys')?.addEventListener('click', help)
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || !areOn()) return
    if (document.querySelector('dialog[open]')) return
    const act: Readonly<Record<string, () => void>> = {
      '/': () => document.querySelector<HTMLElement>('[data-search]')?.focus(),
      j: () => step(1),
      k: () => step(-1),
      '[': () => document.querySelector<HTMLElement>('a[rel=prev]')?.click(),
      ']': () => document.querySelector<HTMLElement>('a[rel=next]')?.click(),
      '?': help,
    }
    if (!act[event.key]) return
    event.preventDefault()
    act[event.key]!()
  })
}
