/** What a page of the server is, and the frame around each. Pages need no scripts: every state of them is an address. */
import { escapeHtml, shown } from '../../html.ts'
import type { Sources } from '../route.ts'

/** A page: its title and body, HTML both where they came through `html.ts`. */
export interface Page {
  readonly title: string
  readonly body: string
}

/** What a page is for and how it is made. One file a page, one line in the index. */
export interface PageRoute {
  /** With `{name}` for each part that changes. */
  readonly path: string
  make(sources: Sources, parts: Readonly<Record<string, string>>, query: URLSearchParams): Promise<Page>
}

/** The whole document. */
export function documentOf({ title, body }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${shown(title)} · pipeline</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header><nav aria-label="Pages"><a href="/">Runs</a><a href="/api/openapi.json">API</a></nav><h1>${shown(title)}</h1></header>
<main>
${body}
</main>
</body>
</html>
`
}

/** A link within the server; `parts` go into the address as they are, whatever they hold. */
export function link(parts: readonly string[], text: string): string {
  return `<a href="${escapeHtml(`/${parts.map(encodeURIComponent).join('/')}`)}">${shown(text)}</a>`
}
