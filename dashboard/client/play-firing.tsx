/** Which features fire on a text of the playground, and on a second one beside it. */
import type { Api, PlayEdit } from '../api/types.ts'
import { short } from '../charts/scale.ts'
import type { Answered } from './play-ask.ts'
import type { State } from './play-state.ts'
import { type Asked, Cell, Head, PlayTable, Value } from './play-table.tsx'
import { tokenText, unknownText } from './play-text.ts'

type Fires = Api['fires']['answer']
type Feature = Fires['features'][number]

interface FiringProps {
  readonly fires: Answered<Fires>
  /** Undefined where there is no second text. */
  readonly other: Answered<Fires> | undefined
  readonly order: State['order']
  readonly edits: readonly PlayEdit[]
  /** What was asked about the first text, or the second. */
  readonly bodyOf: (isSecond: boolean) => object
  readonly change: (more: Partial<State>) => void
}

/** Where the largest activation of a feature stands in the answer. */
const pathOf = ({ features }: Fires, feature: Feature) => `features[${features.indexOf(feature)}].max`

export function Firing({ fires, other, order, edits, bodyOf, change }: FiringProps) {
  const { value, problem, isWaiting } = fires
  if (problem !== undefined) return <p class="warning">{problem}</p>
  if (!value) return <p role="status">{isWaiting ? 'Computing …' : 'Type a text.'}</p>
  const askedOf = ({ sae, tokens }: Fires, isSecond: boolean): Asked => ({
    ...{ run: sae, path: '/api/play/features', body: bodyOf(isSecond), tokens: tokens.length },
  })
  const asked = askedOf(value, false)
  const askedOther = other?.value && askedOf(other.value, true)
  return (
    <>
      <Tokens fires={value} isWaiting={isWaiting} />
      {other?.problem !== undefined && <p class="warning">{other.problem}</p>}
      {other?.value && <Tokens fires={other.value} isWaiting={other.isWaiting} />}
      <label>
        Order{' '}
        <select value={order} onChange={event => change({ order: event.currentTarget.value as State['order'] })}>
          <option value="max">largest activation</option>
          <option value="sum">summed activation</option>
          <option value="norm">activation × length of its row</option>
          <option value="specificity">activation by density</option>
        </select>
      </label>
      <PlayTable
        name="the features"
        asked={asked}
        isTall
        head={
          <>
            <Head name="Feature" />
            <Head name="Label" />
            <Head name="At" />
            <Head name="Largest" about="Largest activation on the text, position 0 left out" />
            {other && (
              <>
                <Head name="Second" about="The same on the second text; 0 where it is not among those listed" />
                <Head name="Differs by" about="Second less first" />
              </>
            )}
            <Head name="Edit" />
          </>
        }
      >
        {pairsOf(value, other?.value).map(({ one, first, second }) => (
          <tr key={one.latent}>
            <Cell name="Feature">
              {one.label === null ? (
                one.latent
              ) : (
                <a href={`/runs/${encodeURIComponent(one.label.run)}/features/${one.latent}`}>{one.latent}</a>
              )}
            </Cell>
            <Cell name="Label">
              <Label label={one.label} />
            </Cell>
            <td class="whole" data-name="At">
              {tokenText((first ? value : other!.value!).tokens[one.peak]?.text ?? '')}
            </td>
            <Value name="Largest" value={first?.max ?? 0} path={first && pathOf(value, first)} />
            {other && (
              <>
                <Value
                  name="Second"
                  value={other.value && (second?.max ?? 0)}
                  path={second && pathOf(other.value!, second)}
                  asked={askedOther}
                />
                <Value name="Differs by" value={other.value && (second?.max ?? 0) - (first?.max ?? 0)} />
              </>
            )}
            <td data-name="Edit">
              <button
                type="button"
                aria-label={`Edit feature ${one.latent}`}
                onClick={() => change({ edits: [...edits, { latent: one.latent, kind: 'ablate', strength: 1 }] })}
              >
                edit
              </button>
            </td>
          </tr>
        ))}
      </PlayTable>
    </>
  )
}

/** The label with what must be known to believe it. */
function Label({ label }: { label: Feature['label'] }) {
  if (label === null) return <span class="soft">no label</span>
  return (
    <>
      {tokenText(label.text)}
      <small>
        {label.scoreName} {short(label.score)}, covers {short(label.coverage)}, {label.verdict}
      </small>
    </>
  )
}

const Tokens = ({ fires, isWaiting }: { fires: Fires; isWaiting: boolean }) => (
  <>
    <p class="soft" role="status">
      {fires.firing} {fires.firing === 1 ? 'feature fires' : 'features fire'} on {fires.tokens.length} tokens
      {unknownText(fires.tokens)}
      {isWaiting ? '; computing …' : ''}
    </p>
    <p class="example">
      {fires.tokens.map((token, i) => (
        <span key={i} class="token">
          {tokenText(token.text)}
        </span>
      ))}
    </p>
  </>
)

/** Features of the first text in its order, then those of the second alone. */
function pairsOf(fires: Fires, other: Fires | undefined) {
  const second = new Map(other?.features.map(one => [one.latent, one]))
  const first = new Map(fires.features.map(one => [one.latent, one]))
  const own = fires.features.map(one => ({ one, first: one as Feature | undefined, second: second.get(one.latent) }))
  const rest = (other?.features ?? []).filter(({ latent }) => !first.has(latent))
  return [...own, ...rest.map(one => ({ one, first: undefined, second: one as Feature | undefined }))]
}
