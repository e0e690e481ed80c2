/** The browser's part of the pages as files: bundled by esbuild from `client/`, when the package is built, or in a clone at the start. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Scripts of pages; each is loaded only where its page is. What they share stands in chunks of its own. */
const entries = ['main.ts', 'features.tsx', 'train.ts', 'play.tsx']

/** Bundles the client: file names to bytes. */
export async function bundle(): Promise<Map<string, Uint8Array>> {
  const { build } = await import('esbuild')
  const folder = fileURLToPath(new URL('../client/', import.meta.url))
  const { outputFiles } = await build({
    entryPoints: entries.map(name => `${folder}${name}`),
    outdir: '/',
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    write: false,
    legalComments: 'none',
    chunkNames: 'shared-[hash]',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    logLevel: 'silent',
  })
  const files = outputFiles.map(({ path, contents }) => [path.replace(/^.*[/\\]/, ''), contents] as const)
  const uplot = readFileSync(fileURLToPath(import.meta.resolve('uplot/dist/uPlot.min.css')))
  return new Map([...files, ['uplot.css', new Uint8Array(uplot)]])
}
