/** What words and numbers mean, from where they are defined, and what there is to do. */
import { definitions, tierNames } from '../../../validation/evidence.ts'
import { columnsOf } from '../../charts/columns.ts'
import { shown } from '../../html.ts'
import { verdictMeanings } from '../../report/claim-text.ts'
import { pill, table } from '../../report/page.ts'
import type { PageRoute } from './page.ts'

export const helpPage: PageRoute = {
  path: '/help',
  make: async () => ({
    title: 'Help',
    body: `<p>Every number that is underlined with dots says, when pressed, what it is, over how many it is, of which split, and the file and row it is in; so does every mark of a chart, pressed, or by keys: the drawing is one stop, arrows go from mark to mark, Enter opens. Every chart has the same data as a table, and copies itself as CSV or SVG.</p>
<h2>Verdicts</h2>${table(
      ['Mark', 'Meaning'],
      Object.entries(verdictMeanings).map(([verdict, meaning]) => [pill(verdict), meaning]),
    )}
<p>Tiers, from least to most: ${tierNames.map(name => `<b>${shown(name)}</b>`).join(', ')}.</p>
<h2>What is measured</h2>${table(
      ['Name', 'Definition'],
      Object.entries(definitions).map(([name, text]) => [`<code>${shown(name)}</code>`, shown(text, 1000)]),
    )}
<h2>Columns of the features</h2>${table(
      ['Column', 'Definition'],
      columnsOf.map(({ name, definition }) => [`<code>${shown(name)}</code>`, shown(definition)]),
    )}
<h2>Other programs</h2><p>All of this is an API: <a href="/api/openapi.json">its description</a>.</p>`,
  }),
}
