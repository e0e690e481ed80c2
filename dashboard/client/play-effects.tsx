/** What the edits of the playground do to the next token of a text, beside their controls; with attention frozen, too, where asked. */
import type { Api, PlayRow } from '../api/types.ts'
import { short } from '../charts/scale.ts'
import type { Answered } from './play-ask.ts'
import { type Asked, Cell, Head, PlayTable, Value } from './play-table.tsx'
import { tokenText } from './play-text.ts'

type Played = Api['play']['answer']

const rowNames: Readonly<Record<'base' | PlayRow['kind'], string>> = {
  base: 'as it is',
  edit: 'the edit',
  random: 'random direction, equal norm',
  foreign: 'another latent, equal norm',
}

/** How a row is called. */
export const rowName = ({ kind, id }: { readonly kind: 'base' | PlayRow['kind']; readonly id: number | null }) =>
  `${rowNames[kind]}${kind === 'foreign' && id !== null ? ` (${id})` : ''}`

interface EffectsProps {
  readonly played: Answered<Played>
  readonly hasEdits: boolean
  /** What was asked, but for the metric. */
  readonly body: object
}

export function Effects({ played, hasEdits, body }: EffectsProps) {
  const { value, problem, isWaiting } = played
  if (problem !== undefined) return <p class="warning">{problem}</p>
  if (!value) return <p role="status">{isWaiting ? 'Computing …' : 'Type a text.'}</p>
  const asked: Asked = { run: value.sae, path: '/api/play/edit', body, tokens: value.tokens.length }
  return (
    <div aria-busy={isWaiting}>
      <p class="soft" role="status">
        After “{tokenText(value.tokens[value.position]?.text ?? '')}”, {short(value.seconds * 1000)} ms
        {isWaiting ? '; computing …' : ''}
      </p>
      {hasEdits && <RowsTable played={value} asked={asked} />}
      <NextTable played={value} hasEdits={hasEdits} asked={asked} />
    </div>
  )
}

/** A row an edit or control: how far it moves the target, and what it does otherwise. */
function RowsTable({ played: { rows, frozen, metric }, asked }: { played: Played; asked: Asked }) {
  const change =
    metric === null
      ? 'Change of the target'
      : `Change of ${tokenText(metric.target.text)}${metric.distractor === null ? '' : ` less ${tokenText(metric.distractor.text)}`}`
  const isFrozen = 'with every attention pattern behind the site as it is on the text'
  return (
    <>
      <PlayTable
        name="the edit beside its controls"
        asked={asked}
        head={
          <>
            <Head name="Row" />
            <Head name="Norm" about="Mean ‖Δx‖ over the edited positions: the same for the edit and its controls" />
            <Head name="KL, nats" about="KL(as it is ‖ edited) of the next token at the last position" />
            <Head
              name={change}
              about="Logit of the target, less that of the other token where there is one; edited less as it is"
            />
            {frozen && <Head name="KL, frozen" about={`The same KL ${isFrozen}`} />}
            {frozen && <Head name="Change, frozen" about={`The same change ${isFrozen}`} />}
          </>
        }
      >
        {rows.map((row, i) => (
          <tr key={`${row.kind}${row.id}`}>
            <Cell name="Row">{rowName(row)}</Cell>
            <Value name="Norm" value={row.norm} path={`rows[${i}].norm`} />
            <Value name="KL, nats" value={row.kl} path={`rows[${i}].kl`} />
            <Value name={change} value={row.change} path={`rows[${i}].change`} />
            {frozen && <Value name="KL, frozen" value={frozen[i]?.kl} path={`frozen[${i}].kl`} />}
            {frozen && <Value name="Change, frozen" value={frozen[i]?.change} path={`frozen[${i}].change`} />}
          </tr>
        ))}
      </PlayTable>
      {metric === null && <p class="soft">Name a target token to see how far its logit moves.</p>}
    </>
  )
}

/** Tokens of the table, and those that the edit raises among as many. */
const mostTokens = 10

/** A token of a list of next tokens, and where the list stands in the answer. */
interface Listed {
  readonly place: string
  readonly byToken: ReadonlyMap<number, readonly [one: Played['base']['next'][number], place: number]>
}

/** The likeliest next tokens as it is, and their probabilities after the edit and after the control. */
function NextTable({ played: { base, rows }, hasEdits, asked }: { played: Played; hasEdits: boolean; asked: Asked }) {
  const listed = (place: string, next: Played['base']['next'] = []): Listed => ({
    place,
    byToken: new Map(next.map((one, i) => [one.token, [one, i]])),
  })
  const rowOf = (kind: PlayRow['kind']) => {
    const row = rows.findIndex(row => row.kind === kind)
    return listed(`rows[${row}].next`, rows[row]?.next)
  }
  const [plain, edit, control] = [listed('base.next', base.next), rowOf('edit'), rowOf('random')]
  const first = base.next.slice(0, mostTokens)
  const risen = hasEdits
    ? [...edit.byToken.values()]
        .slice(0, mostTokens)
        .map(([one]) => one)
        .filter(one => !first.some(({ token }) => token === one.token))
    : []
  const value = (name: string, { place, byToken }: Listed, token: number, key: 'p' | 'change') => {
    const [one, i] = byToken.get(token) ?? []
    return <Value name={name} value={one?.[key]} path={one && `${place}[${i}].${key}`} />
  }
  return (
    <PlayTable
      name="next token as it is, after the edit and after the control"
      asked={asked}
      head={
        <>
          <Head name="Next token" />
          <Head name="p as it is" about="Probability of the token after the text, without an edit" />
          {hasEdits && (
            <>
              <Head name="p edited" about="The same with the edit" />
              <Head
                name="p control"
                about="After a random direction of equal norm; – where it is not among its likeliest"
              />
              <Head name="Logit changes by" about="Logit with the edit less that of the text as it is" />
            </>
          )}
        </>
      }
    >
      {[...first, ...risen].map(({ token, text }) => (
        <tr key={token}>
          <Cell name="Next token">{tokenText(text)}</Cell>
          {value('p as it is', plain, token, 'p')}
          {hasEdits && (
            <>
              {value('p edited', edit, token, 'p')}
              {value('p control', control, token, 'p')}
              {value('Logit changes by', edit, token, 'change')}
            </>
          )}
        </tr>
      ))}
    </PlayTable>
  )
}
