/** What the edits of the playground do to the next token of a text, beside their controls; with attention frozen, too, where asked. */
import type { ComponentChildren } from 'preact'
import type { Api, PlayRow } from '../api/types.ts'
import { short } from '../charts/scale.ts'
import type { Answered } from './play-ask.ts'
import { tokenText } from './play-text.ts'

type Played = Api['play']['answer']

export const rowNames: Readonly<Record<'base' | PlayRow['kind'], string>> = {
  base: 'as it is',
  edit: 'the edit',
  random: 'random direction, equal norm',
  foreign: 'another latent, equal norm',
}

/** How a row is called. */
export const rowName = ({ kind, id }: { readonly kind: 'base' | PlayRow['kind']; readonly id: number | null }) =>
  `${rowNames[kind]}${kind === 'foreign' && id !== null ? ` (${id})` : ''}`

export function Effects({ played, hasEdits }: { played: Answered<Played>; hasEdits: boolean }) {
  const { value, problem, isWaiting } = played
  if (problem !== undefined) return <p class="warning">{problem}</p>
  if (!value) return <p role="status">{isWaiting ? 'Computing …' : 'Type a text.'}</p>
  return (
    <div aria-busy={isWaiting}>
      <p class="soft" role="status">
        After “{tokenText(value.tokens[value.position]?.text ?? '')}”, {short(value.seconds * 1000)} ms
        {isWaiting ? '; computing …' : ''}
      </p>
      {hasEdits && <RowsTable played={value} />}
      <NextTable played={value} hasEdits={hasEdits} />
    </div>
  )
}

/** A table that may be wider than the page, reached by keys; its name is what it shows. */
const Scroll = ({ name, children }: { name: string; children: ComponentChildren }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys.
  // biome-ignore lint/a11y/useSemanticElements: no element is a group of this kind.
  <div class="scroll" tabIndex={0} role="group" aria-label={name}>
    {children}
  </div>
)

/** A row an edit or control: how far it moves the target, and what it does otherwise. */
function RowsTable({ played: { rows, frozen, metric } }: { played: Played }) {
  const name =
    metric === null
      ? 'Target'
      : `Change of ${tokenText(metric.target.text)}${metric.distractor === null ? '' : ` less ${tokenText(metric.distractor.text)}`}`
  const head = (text: string, about: string) => (
    <th scope="col" class="number" title={about}>
      {text}
    </th>
  )
  const change = (row: PlayRow | undefined) => (metric === null ? '–' : short(row?.change))
  return (
    <Scroll name="The edit beside its controls">
      <table>
        <thead>
          <tr>
            <th scope="col">Row</th>
            {head('Norm', 'Mean ‖Δx‖ over the edited positions: the same for the edit and its controls')}
            {head('KL, nats', 'KL(as it is ‖ edited) of the next token at the last position')}
            {head(name, 'Logit of the target, less that of the other token where there is one; edited less as it is')}
            {frozen &&
              head('KL, frozen', 'The same KL with every attention pattern behind the site as it is on the text')}
            {frozen &&
              head(
                'Change, frozen',
                'The same change with every attention pattern behind the site as it is on the text',
              )}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={`${row.kind}${row.id}`}>
              <td>{rowName(row)}</td>
              <td class="number">{short(row.norm)}</td>
              <td class="number">{short(row.kl)}</td>
              <td class="number">{change(row)}</td>
              {frozen && <td class="number">{short(frozen[i]?.kl)}</td>}
              {frozen && <td class="number">{change(frozen[i])}</td>}
            </tr>
          ))}
        </tbody>
      </table>
      {metric === null && <p class="soft">Name a target token to see how far its logit moves.</p>}
    </Scroll>
  )
}

/** Tokens of the table, and those that the edit raises among as many. */
const mostTokens = 10

/** The likeliest next tokens as it is, and their probabilities after the edit and after the control. */
function NextTable({ played: { base, rows }, hasEdits }: { played: Played; hasEdits: boolean }) {
  const known = (next: Played['base']['next'] | undefined) => new Map(next?.map(one => [one.token, one]))
  const [plain, edit, control] = [
    known(base.next),
    ...(['edit', 'random'] as const).map(kind => known(rows.find(row => row.kind === kind)?.next)),
  ] as const
  const first = base.next.slice(0, mostTokens)
  const risen = hasEdits
    ? [...edit!.values()].slice(0, mostTokens).filter(one => !first.some(({ token }) => token === one.token))
    : []
  return (
    <Scroll name="Next token as it is, after the edit and after the control">
      <table>
        <thead>
          <tr>
            <th scope="col">Next token</th>
            <th scope="col" class="number">
              p as it is
            </th>
            {hasEdits && (
              <>
                <th scope="col" class="number">
                  p edited
                </th>
                <th
                  scope="col"
                  class="number"
                  title="After a random direction of equal norm; – where it is not among its likeliest"
                >
                  p control
                </th>
                <th scope="col" class="number">
                  Logit changes by
                </th>
              </>
            )}
          </tr>
        </thead>
        <tbody>
          {[...first, ...risen].map(one => (
            <tr key={one.token}>
              <td>{tokenText(one.text)}</td>
              <td class="number">{short(plain.get(one.token)?.p)}</td>
              {hasEdits && (
                <>
                  <td class="number">{short(edit!.get(one.token)?.p)}</td>
                  <td class="number">{short(control!.get(one.token)?.p)}</td>
                  <td class="number">{short(edit!.get(one.token)?.change)}</td>
                </>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}
