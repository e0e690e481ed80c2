/** Parts of a page that follow the store: they are fetched anew when a run begins, goes on or ends. */
import { announce } from './dom.ts'

/** Follows `/api/live` while the page is looked at; a hidden tab holds no connection. */
export function watchRuns(enliven: (root: ParentNode) => void): void {
  if (!document.querySelector('[data-live]')) return
  let source: EventSource | undefined
  let known: string | undefined
  const refresh = async () => {
    const answer = await fetch(location.href, { headers: { accept: 'text/html' } })
    if (!answer.ok) return announce('The page is out of date: the server does not answer.')
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html')
    for (const part of document.querySelectorAll<HTMLElement>('[data-live]')) {
      const next = fresh.querySelector(`[data-live="${CSS.escape(part.dataset.live!)}"]`)
      if (!next || next.innerHTML === part.innerHTML) continue
      const focused = part.contains(document.activeElement) ? document.activeElement?.getAttribute('href') : null
      part.replaceChildren(...document.importNode(next, true).childNodes)
      enliven(part)
      if (focused) part.querySelector<HTMLElement>(`a[href="${CSS.escape(focused)}"]`)?.focus()
    }
  }
  const open = () => {
    source ??= new EventSource('/api/live')
    source.addEventListener('runs', event => {
      const { tag } = JSON.parse((event as MessageEvent<string>).data) as { tag: string }
      if (known !== undefined && known !== tag) refresh().catch(() => announce('The server does not answer.'))
      known = tag
    })
  }
  const follow = () => {
    if (document.visibilityState === 'visible') return open()
    source?.close()
    source = undefined
  }
  document.addEventListener('visibilitychange', follow)
  follow()
}
