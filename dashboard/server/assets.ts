/** Scripts and styles of the pages, from memory: what the package was built with, or in a clone what is bundled at the first page. */
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { sha256 } from '../../core/hash.ts'
import { style } from '../report/style.ts'
import { pageStyle } from './pages/style.ts'

/** A file as it is sent. */
export interface Asset {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly type: string
  readonly etag: string
}

const types: Readonly<Record<string, string>> = { js: 'text/javascript', css: 'text/css' }

function assetOf(name: string, bytes: Uint8Array): Asset {
  const type = `${types[name.split('.').at(-1)!] ?? 'application/octet-stream'}; charset=utf-8`
  return { bytes: new Uint8Array(bytes), type, etag: `"${sha256(bytes).slice(0, 16)}"` }
}

/** Every file by its name. */
export async function loadAssets(): Promise<ReadonlyMap<string, Asset>> {
  const files = import.meta.url.endsWith('.ts') ? await (await import('./bundle.ts')).bundle() : await built()
  const sheet = new TextEncoder().encode(style + pageStyle)
  return new Map([...files, ['style.css', sheet] as const].map(([name, bytes]) => [name, assetOf(name, bytes)]))
}

/** The files that `npm run build` put beside the compiled modules. */
async function built(): Promise<Map<string, Uint8Array>> {
  const folder = fileURLToPath(new URL('../client/', import.meta.url))
  const names = (await readdir(folder)).filter(name => /\.(js|css)$/.test(name))
  return new Map(await Promise.all(names.map(async name => [name, await readFile(`${folder}${name}`)] as const)))
}
