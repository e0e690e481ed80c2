/** What a page of the server is, and the frame around each. What they show stands in their HTML; scripts add to it. Every state of them is an address. */
import { escapeHtml, shown } from '../../html.ts'
import type { Sources } from '../route.ts'

/** A page: its title and body, HTML both where they came through `html.ts`. */
export interface Page {
  readonly title: string
  readonly body: string
  /** Script of its own, beside the one that every page has: a file of `client/`. */
  readonly script?: string
  /** Style sheet of its own. */
  readonly sheet?: string
}

/** What a page is for and how it is made. One file a page, one line in the index. */
export interface PageRoute {
  /** With `{name}` for each part that changes. */
  readonly path: string
  make(sources: Sources, parts: Readonly<Record<string, string>>, query: URLSearchParams): Promise<Page>
}

/** Pages that lead everywhere else. */
const places: readonly (readonly [string, string])[] = [
  ['/', 'Runs'],
  ['/train', 'Training'],
  ['/claims', 'Claims'],
  ['/compare', 'Compare'],
  ['/drift', 'Drift'],
  ['/play', 'Playground'],
  ['/help', 'Help'],
]

/** The whole document. */
export function documentOf({ title, body, script, sheet }: Page): string {
  const own = script === undefined ? '' : `\n<script type="module" src="/assets/${script}.js"></script>`
  const extra = sheet === undefined ? '' : `\n<link rel="stylesheet" href="/assets/${sheet}.css">`
  const links = places.map(([href, name]) => `<a href="${href}">${name}</a>`).join('')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${shown(title)} · pipeline</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/style.css">${extra}
<script type="module" src="/assets/main.js"></script>${own}
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header><nav aria-label="Pages">${links}<button type="button" id="show-keys" class="plain">Keys</button></nav><h1>${shown(title)}</h1></header>
<main id="main">
${body}
</main>
</body>
</html>
`
}

/** A link within the server; `parts` go into the address as they are, whatever they hold. */
export function link(parts: readonly string[], text: string, attributes = ''): string {
  return `<a${attributes && ` ${attributes}`} href="${escapeHtml(`/${parts.map(encodeURIComponent).join('/')}`)}">${shown(text)}</a>`
}
