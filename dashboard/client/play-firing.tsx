/** Which features fire on a text of the playground, and on a second one beside it. */
import type { Api, PlayEdit } from '../api/types.ts'
import { short } from '../charts/scale.ts'
import type { Answered } from './play-ask.ts'
import type { State } from './play-state.ts'
import { tokenText } from './play-text.ts'

type Fires = Api['fires']['answer']
type Feature = Fires['features'][number]

interface FiringProps {
  readonly fires: Answered<Fires>
  /** Undefined where there is no second text. */
  readonly other: Answered<Fires> | undefined
  readonly order: State['order']
  readonly edits: readonly PlayEdit[]
  readonly change: (more: Partial<State>) => void
}

export function Firing({ fires, other, order, edits, change }: FiringProps) {
  const { value, problem, isWaiting } = fires
  if (problem !== undefined) return <p class="warning">{problem}</p>
  if (!value) return <p role="status">{isWaiting ? 'Computing …' : 'Type a text.'}</p>
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
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys. */}
      <section class="scroll tall" tabIndex={0} aria-label="Table of the features">
        <table data-rows="">
          <thead>
            <tr>
              <th scope="col">Feature</th>
              <th scope="col">Label</th>
              <th scope="col">At</th>
              <th scope="col" class="number" title="Largest activation on the text, position 0 left out">
                Largest
              </th>
              {other && (
                <>
                  <th
                    scope="col"
                    class="number"
                    title="The same on the second text; 0 where it is not among those listed"
                  >
                    Second
                  </th>
                  <th scope="col" class="number" title="Second less first">
                    Differs by
                  </th>
                </>
              )}
              <th scope="col">Edit</th>
            </tr>
          </thead>
          <tbody>
            {pairsOf(value, other?.value).map(({ one, first, second }) => (
              <tr key={one.latent}>
                <td>
                  {one.label === null ? (
                    one.latent
                  ) : (
                    <a href={`/runs/${encodeURIComponent(one.label.run)}/features/${one.latent}`}>{one.latent}</a>
                  )}
                </td>
                <td>
                  <Label label={one.label} />
                </td>
                <td class="whole">{tokenText((first ? value : other!.value!).tokens[one.peak]?.text ?? '')}</td>
                <td class="number">{short(first?.max ?? 0)}</td>
                {other && (
                  <>
                    <td class="number">{other.value ? short(second?.max ?? 0) : '–'}</td>
                    <td class="number">{other.value ? short((second?.max ?? 0) - (first?.max ?? 0)) : '–'}</td>
                  </>
                )}
                <td>
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
          </tbody>
        </table>
      </section>
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
      {fires.tokens.length} tokens, {fires.firing} features fire{isWaiting ? '; computing …' : ''}
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
