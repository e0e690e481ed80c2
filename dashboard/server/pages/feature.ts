/** One feature, in the order of evidence: what was tested and came out, then where it fires, what it is called, and what is like it. */

import { clip } from '../../../core/visible.ts'
import { definitions } from '../../../validation/evidence.ts'
import { feature as featureContract, logits, neighbours, stability } from '../../api/contracts/feature.ts'
import { figureOf, forest, histogram, short } from '../../charts/index.ts'
import { shown } from '../../html.ts'
import { originOf, valued } from '../../origin.ts'
import { answersHtml } from '../../report/answers.ts'
import { claimCard } from '../../report/claim-card.ts'
import { documentsText } from '../../report/claim-text.ts'
import { tokenText } from '../../report/features.ts'
import { table, tiles } from '../../report/page.ts'
import { type Ask, askOf, notRun, orWhyNot } from './ask.ts'
import { examplesHtml } from './examples.ts'
import { link, type PageRoute } from './page.ts'
import { selectivityHtml } from './selectivity.ts'

/** Characters of a label in the page's title. */
const longestTitle = 80

export const featurePage: PageRoute = {
  path: '/runs/{run}/features/{latent}',
  async make(sources, parts, query) {
    const ask = askOf(sources)
    const [run, latent] = [parts.run!, parts.latent!]
    const found = await ask(featureContract, { parts })
    const { feature, label, evidence, evidenceRun, source } = found
    const largest = typeof feature.max_activation === 'number' ? feature.max_activation : 0
    const title = `Latent ${latent}${label === null ? '' : `: ${clip(label.text, longestTitle)}`}`
    const steps = [
      link(['runs', run, 'features'], 'All features'),
      found.previous === null
        ? ''
        : link(['runs', run, 'features', String(found.previous)], `← latent ${found.previous}`, 'rel="prev"'),
      found.following === null
        ? ''
        : link(['runs', run, 'features', String(found.following)], `latent ${found.following} →`, 'rel="next"'),
    ]
    const one = (name: string) => query.get(name) ?? ''
    const kept = { examples: one('examples'), width: one('width') }
    const threshold = one('threshold')
    const asked = { run, latent, group: kept.examples, width: kept.width, threshold, largest }
    return {
      title,
      body: `<nav aria-label="Features beside it">${steps.join('')}</nav>
${answersHtml({ label, evidence, evidenceRun, command: found.command, tokens: textsOf(feature, 'tokens') })}
<h2 id="evidence">Evidence</h2>
${
  evidence && evidenceRun
    ? `<p class="soft">From ${link(['runs', evidenceRun], evidenceRun)}, features[].claim.feature = ${shown(latent)} of its evidence.json.</p>${claimCard({ feature: evidence, name: `Latent ${latent}`, run: evidenceRun, isAnswered: true })}`
    : notRun('no causal test of this latent.', found.command)
}
<h2 id="selectivity">At which threshold</h2>
${await orWhyNot(selectivityHtml(ask, { run, latent, threshold, kept }))}
<h2 id="examples">Where it fires</h2>
<div${originOf({ run, file: source.file })} data-where="${shown(source.where)}">${tiles(factsOf(feature))}</div>
<div class="charts">${figureOf(
        histogram,
        { x: 'activation', y: 'tokens', ...found.histogram },
        {
          title: 'Activations where it fires',
          nothing: 'It fired on no token that was read for labels.',
          origin: {
            ...{ run, file: source.file, where: () => source.where },
            columns: {
              tokens: {
                definition: 'tokens at which the latent’s activation is in the bin',
                path: row => `histogram[${row + 1}]`,
              },
            },
          },
        },
      )}${strataFigure(run, feature, source)}</div>
${await orWhyNot(examplesHtml(ask, asked))}
<h2 id="label">What it is called</h2>
${labelHtml(label, feature)}
<h2 id="logits">What it writes</h2>
${await orWhyNot(logitsHtml(ask, parts))}
<h2 id="stability">In other SAEs</h2>
${await orWhyNot(stabilityHtml(ask, parts))}
<h2 id="neighbours">What is like it</h2>
${await orWhyNot(neighboursHtml(ask, run, latent))}`,
    }
  },
}

type Row = Readonly<Record<string, unknown>>

const numberOf = (row: Row, name: string) => (typeof row[name] === 'number' ? (row[name] as number) : null)

function factsOf(row: Row) {
  const facts = [
    ['density', 'share of tokens', 'at which it fires'],
    ['mean_activation', 'mean activation', 'where it fires'],
    ['max_activation', 'largest activation', 'on the text read for labels'],
    ['stability', 'stability', '|cosine| with its partner in another SAE'],
  ] as const
  return facts.map(([key, name, note]) => ({
    name,
    value: short(numberOf(row, key)),
    note,
    path: key,
    definition: `${name} ${note}`,
  }))
}

const textsOf = (row: Row, name: string) =>
  Array.isArray(row[name]) ? (row[name] as readonly unknown[]).map(String) : []
const numbersOf = (row: Row, name: string) =>
  Array.isArray(row[name]) ? (row[name] as readonly unknown[]).map(Number) : []

/** Strata that are drawn. */
const mostStrata = 16

/** How often it fires in each stratum, beside how often it does at all. */
function strataFigure(
  run: string,
  row: Row,
  { file, where }: { readonly file: string; readonly where: string },
): string {
  const [tokens, densities] = [numbersOf(row, 'strata_tokens'), numbersOf(row, 'strata_density')]
  const strata = textsOf(row, 'strata')
    .map((name, i) => ({ name, i, tokens: tokens[i] ?? 0, density: densities[i] ?? null }))
    .sort((a, b) => (b.density ?? 0) - (a.density ?? 0) || a.i - b.i)
  const drawn = strata.slice(0, mostStrata)
  const estimate = (name: string, value: number | null, n: string) => ({
    name,
    value,
    low: null,
    high: null,
    n,
    state: 'unjudged',
  })
  const rows = [
    estimate('all tokens', numberOf(row, 'density'), 'all'),
    ...drawn.map(({ name, density, tokens }) => estimate(name, density, `${short(tokens)} tokens`)),
  ]
  return figureOf(
    forest,
    { x: 'share of tokens', rows: drawn.length > 0 ? rows : [] },
    {
      title: 'How often it fires, by stratum',
      nothing: 'Not run: the text has no strata. pipeline label on documents with strata counts by them.',
      note: `Without intervals: tokens of one document hang together.${strata.length > drawn.length ? ` ${strata.length - drawn.length} more strata are in ${file}.` : ''}`,
      origin: {
        ...{ run, file, where: () => where },
        n: place => rows[place]?.n,
        columns: {
          Value: {
            definition: 'share of the stratum’s tokens at which it fires',
            path: place => (place === 0 ? 'density' : `strata_density[${(drawn[place - 1]?.i ?? 0) + 1}]`),
          },
        },
      },
    },
  )
}

type Label = Awaited<ReturnType<typeof labelType>>
const labelType = async (ask: Ask) => (await ask(featureContract)).label

/** The label, its score and what it covers; or that there is none, and how near the best rule came. */
function labelHtml(label: Label, row: Row): string {
  if (label === null) {
    const best = numberOf(row, 'label_f1')
    return `<p class="nothing">No label: ${best === null ? 'it never fired on the text that labels are chosen by' : `its best rule has F1 ${short(best)}, too little to be one`}.</p>`
  }
  const ends =
    label.scoreLow === null || label.scoreHigh === null
      ? ''
      : ` (${short(label.scoreLow)} to ${short(label.scoreHigh)})`
  const rows = [
    [`Score (${shown(label.scoreName)})`, `${short(label.score)}${ends}`, 'on text that did not suggest it'],
    ['Covers', `${label.coverage === null ? 'missing' : `${short(100 * label.coverage)} %`}`, 'of its activation'],
    ['Precision', short(label.precision), 'of the rule: firing where it says so'],
    ['Recall', short(label.recall), 'of the rule: said where it fires'],
    ['Base rate', short(label.baseRate), 'of the rule: how often it says so'],
    ['Causal verdict', `${shown(label.verdict)}${label.tier ? `, ${shown(label.tier)}` : ''}`, 'of the claim above'],
    ['Made by', shown(label.madeBy), ''],
  ]
  const origin = { run: label.source.run, file: label.source.file, where: () => label.source.where }
  return `<p><b>${shown(label.text, 400)}</b></p>${table(['What', '#Value', 'Of what'], rows, origin)}`
}

async function logitsHtml(ask: Ask, parts: Readonly<Record<string, string>>): Promise<string> {
  const { promoted, suppressed, target } = await ask(logits, { parts })
  const rows = Array.from({ length: Math.max(promoted.length, suppressed.length) }, (_, i) => [
    ...[promoted[i], suppressed[i]].flatMap(one => (one ? [tokenText(one.token, true), short(one.effect)] : ['', ''])),
  ])
  const direct = 'decoder row times unembedding, in logits a unit of activation'
  const listed =
    rows.length === 0
      ? '<p class="nothing">The SAE writes to no residual: its decoder has no direct effect on logits.</p>'
      : table(
          [
            ...['Raises', { name: '#by', definition: direct, path: (row: number) => `promoted_effects[${row + 1}]` }],
            ...[
              'Lowers',
              { name: '#by ', definition: direct, path: (row: number) => `suppressed_effects[${row + 1}]` },
            ],
          ],
          rows,
          { run: parts.run!, file: 'features.parquet', where: () => `latent=${parts.latent}` },
        )
  const measured = target
    ? `<p>Measured by ${shown(target.intervention)}: the claim’s target, ${target.tokens.length} tokens, moves by ${short(target.effect)} nats (${short(target.low)} to ${short(target.high)}) over ${target.documents} documents.</p>`
    : '<p class="nothing">Measured effect: not run.</p>'
  return `<p class="soft">Direct effect of the decoder row on the logits.</p>${listed}${measured}`
}

async function stabilityHtml(ask: Ask, parts: Readonly<Record<string, string>>): Promise<string> {
  const { cosine, scale, compared, siblings, evidenceRun, command } = await ask(stability, { parts })
  if (command !== null && siblings.length === 0) return notRun('no comparison with another SAE.', command)
  const [run, latent] = [parts.run!, parts.latent!]
  const file = { run, file: 'features.parquet' }
  const partner = {
    definition: '|cosine| of the decoder row with that of its partner in the other SAE, matched one to one',
    path: 'stability',
  }
  const own =
    cosine === null
      ? ''
      : `<p${originOf(file)} data-where="latent=${shown(latent)}">|cosine| with its partner: <b>${valued(short(cosine), '|cosine| with its partner', partner)}</b>.</p>`
  const shares = table(
    [
      '|cosine| of at least',
      {
        name: '#Share of this SAE’s latents',
        definition: `share of the ${compared} compared latents whose ${partner.definition} is at least that: those that the line lists, by all`,
        path: 'latent',
      },
    ],
    scale.map(({ atLeast, share }) => [short(atLeast), `${short(100 * share)} %`]),
    { ...file, n: `${compared} latents`, where: row => `stability>=${scale[row]!.atLeast}` },
  )
  const rows = siblings.map(row => [
    shown(String(row.sae)),
    row.match === null ? 'none' : String(row.match),
    short(numberOf(row, 'cosine')),
    short(numberOf(row, 'difference')),
    row.passes === true ? 'passes' : 'does not pass',
  ])
  const others =
    rows.length === 0 || evidenceRun === null
      ? ''
      : table(
          [
            'SAE',
            {
              name: '#Latent',
              definition: 'its partner in the best one-to-one matching of decoder rows',
              path: 'match',
            },
            { name: '#Cosine', definition: 'cosine of the two decoder rows', path: 'cosine' },
            { name: '#Effect beyond controls', definition: definitions.difference, path: 'difference' },
            'The same test',
          ],
          rows,
          {
            ...{ run: evidenceRun, file: 'evidence.json', split: 'validation' },
            n: row => documentsText(numberOf(siblings[row]!, 'documents') ?? 0),
            where: row => `features[] | select(.claim.feature==${Number(latent)}) | .studies.siblings.siblings[${row}]`,
          },
        )
  return `${own}${scale.length > 0 ? shares : ''}${others}`
}

async function neighboursHtml(ask: Ask, run: string, latent: string): Promise<string> {
  const found = await ask(neighbours, { parts: { run, latent }, query: { count: '5' } })
  if (found.neighbours.length === 0) return '<p class="nothing">The SAE has no other latent.</p>'
  const rows = found.neighbours.map(({ latent, cosine, label, density }) => [
    link(['runs', run, 'features', String(latent)], String(latent)),
    short(cosine),
    label === null
      ? '<span class="soft">no label</span>'
      : `${shown(label.text, 160)}<small>${shown(label.scoreName)} ${short(label.score)}, covers ${short(label.coverage)}, ${shown(label.verdict)}</small>`,
    short(density),
  ])
  return table(
    [
      '#Latent',
      {
        name: '#Cosine of decoder rows',
        definition: `cosine of the two decoder rows${found.from === 'table' ? `, nearest_cosine in the row of latent ${latent}` : ', computed from the weights'}`,
      },
      'Label',
      { name: '#Density', definition: 'share of tokens at which the neighbour fires', path: 'density' },
    ],
    rows,
    { run, file: 'features.parquet', where: row => `latent=${found.neighbours[row]!.latent}` },
  )
}
