/** Tables of the playground: their numbers say where they are from, as everywhere else, and rows are blocks where the page is narrow. */
import type { ComponentChildren } from 'preact'
import { short } from '../charts/scale.ts'

/** A question whose answer holds the numbers: another program gets them by asking it. */
export interface Asked {
  readonly run: string
  readonly path: '/api/play/features' | '/api/play/edit'
  readonly body: object
  /** Of the text. */
  readonly tokens: number
}

/** The attributes by which a number below says where it is from. */
const originOf = ({ run, path, body, tokens }: Asked) => ({
  'data-run': run,
  'data-file': 'sae_weights.safetensors',
  'data-split': 'none: your own text',
  'data-n': `1 text of ${tokens} tokens`,
  'data-post': path,
  'data-body': JSON.stringify(body),
})

interface TableProps {
  /** What it shows. */
  readonly name: string
  readonly asked: Asked
  readonly isTall?: boolean
  readonly head: ComponentChildren
  readonly children: ComponentChildren
}

/** A table that may be wider than the page, reached by keys; a group and no landmark, since each text has its own. */
export const PlayTable = ({ name, asked, isTall = false, head, children }: TableProps) => (
  // biome-ignore lint/a11y/useSemanticElements: a fieldset is for fields.
  <div
    class={isTall ? 'scroll tall' : 'scroll'}
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys.
    tabIndex={0}
    role="group"
    aria-label={`Table: ${name}`}
    {...originOf(asked)}
  >
    <table class="blocks" data-rows="">
      <thead>
        <tr>{head}</tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  </div>
)

/** The head of a column, with what its numbers are where it has some. */
export const Head = ({ name, about }: { name: string; about?: string }) => (
  <th scope="col" {...(about === undefined ? {} : { class: 'number', title: about, 'data-definition': about })}>
    {name}
  </th>
)

interface ValueProps {
  readonly name: string
  readonly value: number | null | undefined
  /** Where it stands in the answer; undefined where it is made of several. */
  readonly path?: string | undefined
  /** Where that is another question than the table's. */
  readonly asked?: Asked | undefined
}

/** A number of a row. */
export function Value({ name, value, path, asked }: ValueProps) {
  const isThere = value !== null && value !== undefined
  return (
    <td
      class="number"
      data-name={name}
      {...(isThere ? { 'data-value': String(value) } : {})}
      {...(path === undefined ? {} : { 'data-path': path })}
      {...(asked ? originOf(asked) : {})}
    >
      {isThere ? (
        // biome-ignore lint/a11y/useSemanticElements: numbers of all pages are such, and stay text that one can select.
        <span class="known" role="button" tabIndex={0}>
          {short(value)}
        </span>
      ) : (
        <span>–</span>
      )}
    </td>
  )
}

/** A cell of text. */
export const Cell = ({ name, children }: { name: string; children: ComponentChildren }) => (
  <td data-name={name}>
    <span>{children}</span>
  </td>
)
