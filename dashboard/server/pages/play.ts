/** The playground: a text, the features that fire on it, and edits of them beside controls of equal norm. Its script asks for what it shows. */
import { bounds, session } from '../../api/contracts/play.ts'
import { runs as runsContract } from '../../api/contracts/runs.ts'
import { escapeHtml } from '../../html.ts'
import { askOf, notRun } from './ask.ts'
import type { PageRoute } from './page.ts'

export const playPage: PageRoute = {
  path: '/play',
  async make(sources) {
    const ask = askOf(sources)
    const lists = await Promise.all(
      ['train', 'import'].map(stage => ask(runsContract, { query: { stage, status: 'finished', limit: '1000' } })),
    )
    const saes = lists.flatMap(({ runs }) => runs.map(({ id, site, model }) => ({ id, site, model })))
    const { computes, session: own } = await ask(session)
    const place = `<div id="play" data-session="${escapeHtml(own)}" data-saes="${escapeHtml(JSON.stringify(saes))}" data-bounds="${escapeHtml(JSON.stringify(bounds))}"><p class="nothing">This page needs its script: it computes as you type.</p></div>`
    return {
      title: 'Playground',
      script: 'play',
      body: !computes
        ? notRun('this server only reads.', 'pipeline serve')
        : saes.length === 0
          ? notRun('there is no SAE in the store.', 'pipeline train')
          : place,
    }
  },
}
