import { expect, test } from 'vitest'
import { madeUpDrift } from '../server/store.fixture.ts'
import { driftHtml } from './drift.ts'

test('bars of a comparison name the site once where all are of one, and each where they are of several', () => {
  const drift = madeUpDrift({ id: 'a', stage: 'capture', sha256: 'a' })
  const barsOf = (cells: typeof drift.cells) => {
    const html = driftHtml({ ...drift, cells, total: cells.length })
    const drawing = html.slice(html.indexOf('<svg'), html.indexOf('</svg>'))
    return { html, names: [...drawing.matchAll(/class="label" x="10"[^>]*>([^<]*)</g)].map(([, name]) => name) }
  }
  expect(barsOf(drift.cells).names).toContain('hook_embed, language fi')
  const one = barsOf([{ ...drift.cells[0]!, stratum: null }, drift.cells[0]!])
  expect(one.names).toEqual(['all', 'language fi'])
  expect(one.html).toContain('How unlikely by chance, at hook_embed')
})
