/** Two SAEs side by side: settings that differ, latents matched one to one, and those without a partner. */

import { definitions } from '../../../validation/evidence.ts'
import { compare } from '../../api/contracts/evidence.ts'
import { runs as runsContract } from '../../api/contracts/runs.ts'
import { figureOf, histogram, scatter, short } from '../../charts/index.ts'
import { escapeHtml, shown } from '../../html.ts'
import { originOf } from '../../origin.ts'
import { pill, table, tiles } from '../../report/page.ts'
import { type Ask, askOf, orWhyNot } from './ask.ts'
import { field, form, select } from './form.ts'
import { link, type PageRoute } from './page.ts'

const parts: Readonly<Record<string, string>> = {
  matched: 'matched latents',
  'only-a': 'only in the first',
  'only-b': 'only in the second',
  split: 'one that became several',
}

export const comparePage: PageRoute = {
  path: '/compare',
  async make(sources, _, query) {
    const ask = askOf(sources)
    const one = (name: string, usual = '') => query.get(name) || usual
    const asked = { a: one('a'), b: one('b'), part: one('part', 'matched'), threshold: one('threshold', '0.7') }
    const lists = await Promise.all(
      ['train', 'import'].map(stage => ask(runsContract, { query: { stage, status: 'finished', limit: '1000' } })),
    )
    const saes = lists.flatMap(({ runs }) => runs.map(({ id }): [string, string] => [id, id]))
    const swap = new URLSearchParams({ ...asked, a: asked.b, b: asked.a })
    return {
      title: 'Compare two SAEs',
      body: `${form([
        select('a', 'The first', [['', 'choose'], ...saes], asked.a),
        select('b', 'The second', [['', 'choose'], ...saes], asked.b),
        select('part', 'List', Object.entries(parts), asked.part),
        field('threshold', 'The same from |cosine|', asked.threshold),
      ])}
${asked.a && asked.b ? `<p><a href="${escapeHtml(`/compare?${swap}`)}">Swap them</a></p>${await orWhyNot(comparedHtml(ask, asked))}` : '<p class="nothing">Choose two SAEs: of two seeds, two checkpoints, or your own and an imported one.</p>'}`,
    }
  },
}

interface Asked {
  readonly a: string
  readonly b: string
  readonly part: string
  readonly threshold: string
}

async function comparedHtml(ask: Ask, asked: Asked): Promise<string> {
  const found = await ask(compare, { query: { ...asked, limit: '200' } })
  const figures = [
    {
      name: 'mean |cosine| of partners',
      value: short(found.mcc),
      definition: `mean |cosine| of decoder rows over the matching, of the weights of ${found.a.run} and ${found.b.run}`,
      note: found.exact ? 'of the best matching' : `at most ${short(found.mccBound)}`,
    },
    {
      name: 'shared',
      value: short(found.shared),
      note: `of latents, |cosine| ≥ ${short(found.threshold)}`,
      definition: 'latents of the first whose partner is as near as that, by all of them',
    },
    {
      name: 'p',
      value: short(found.p),
      note: `among ${found.null.length} SAEs with the second’s coordinates permuted`,
    },
  ]
  const text = (value: unknown) => (value === null || value === undefined ? 'missing' : JSON.stringify(value))
  const settings = found.differences.map(({ key, a, b }) => [
    `<code>${shown(key, 200)}</code>`,
    shown(text(a), 200),
    shown(text(b), 200),
  ])
  const pairs = found.latents.filter(({ a, b }) => a !== null && b !== null)
  const plot = (
    title: string,
    x: (one: (typeof pairs)[number]) => number | null,
    y: (one: (typeof pairs)[number]) => number | null,
    log: boolean,
    column: string,
    definition: string,
  ) =>
    figureOf(
      scatter,
      {
        x: 'first',
        y: 'second',
        logX: log,
        logY: log,
        points: pairs.map(one => ({ name: `${one.a} and ${one.b}`, x: x(one), y: y(one), group: 'pair' })),
      },
      {
        title,
        nothing: 'Missing: neither SAE was labelled and tested, or only one.',
        ...(found.a.labels !== null && {
          origin: {
            ...{ run: found.a.labels, file: 'features.parquet', where: (row: number) => `latent=${pairs[row]!.a}` },
            columns: {
              first: { definition, path: column },
              second: { definition: `the same of its partner, in features.parquet of ${found.b.labels ?? 'no run'}` },
            },
          },
        }),
      },
    )
  return `${found.notices.map(notice => `<p class="warning">${shown(notice, 400)}</p>`).join('')}<div${originOf({ run: found.a.run, file: 'sae_weights.safetensors' })}>${tiles(figures)}</div>
<div class="charts">${figureOf(
    histogram,
    { x: '|cosine| of partners', y: 'pairs', ...found.histogram, mark: found.threshold },
    {
      title: 'How alike partners are',
      origin: {
        ...{ run: found.a.run, file: 'sae_weights.safetensors', n: `${found.total} latents` },
        columns: {
          pairs: {
            definition: `pairs of decoder rows of ${found.a.run} and ${found.b.run}, matched one to one, by |cosine|`,
          },
        },
      },
    },
  )}${plot(
    'How often partners fire',
    one => one.densityA,
    one => one.densityB,
    true,
    'density',
    'share of tokens at which the latent fires',
  )}${plot(
    'What ablating partners does',
    one => one.effectA,
    one => one.effectB,
    false,
    'effect',
    definitions.target!,
  )}</div>
<h2>${shown(parts[asked.part] ?? asked.part)}: ${found.latents.length} of ${found.total}</h2>
${latentsHtml(found)}
<h2>Settings that differ</h2>${settings.length > 0 ? table(['Key', found.a.run, found.b.run], settings) : '<p class="nothing">None.</p>'}`
}

type Compared = Awaited<ReturnType<typeof comparedType>>
const comparedType = (ask: Ask) => ask(compare)

function latentsHtml({ latents, a, b }: Compared): string {
  if (latents.length === 0) return '<p class="nothing">None.</p>'
  const latent = (labels: string | null, number: number | null) =>
    number === null
      ? '–'
      : labels === null
        ? String(number)
        : link(['runs', labels, 'features', String(number)], String(number))
  const label = (one: Compared['latents'][number]['labelA'], verdict: string | null) =>
    `${one === null ? '<span class="soft">no label</span>' : `${shown(one.text, 120)}<small>${shown(one.scoreName)} ${short(one.score)}, covers ${short(one.coverage)}</small>`}${verdict === null ? '' : ` ${pill(verdict)}`}`
  const rows = latents.map(one => [
    latent(a.labels, one.a),
    latent(b.labels, one.b),
    short(one.cosine),
    short(one.densityA),
    short(one.densityB),
    label(one.labelA, one.verdictA),
    label(one.labelB, one.verdictB),
  ])
  const density = 'share of tokens at which the latent fires'
  return table(
    [
      ...['#First', '#Second'],
      { name: '#Cosine', definition: 'cosine of the decoder rows, computed from both SAEs’ weights' },
      { name: '#Density', definition: density, path: 'density' },
      {
        name: '#Density of the second',
        definition: `${density}; of the second, in features.parquet of ${b.labels ?? 'no run'}`,
      },
      ...['Label', 'Label of the second'],
    ],
    rows,
    a.labels === null
      ? undefined
      : { run: a.labels, file: 'features.parquet', where: row => `latent=${latents[row]!.a}` },
  )
}
