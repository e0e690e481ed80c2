/** How a text of the playground goes on: as it is, with the edits, and with controls of equal norm. */
import type { Api } from '../api/types.ts'
import type { Answered } from './play-ask.ts'
import { rowName } from './play-effects.tsx'
import { lengths, type State } from './play-state.ts'
import { wholeText } from './play-text.ts'

/** What is asked: how long, and how tokens are chosen. */
export function ContinueFields({ state, change }: { state: State; change: (more: Partial<State>) => void }) {
  const number = (name: 'temperature' | 'seed', text: string, step: number, most: number) => (
    <label>
      {text}{' '}
      <input
        type="number"
        min={0}
        max={most}
        step={step}
        value={state[name]}
        onChange={event => {
          const value = Number(event.currentTarget.value)
          change({ [name]: Number.isFinite(value) ? Math.min(most, Math.max(0, value)) : 0 })
        }}
      />
    </label>
  )
  return (
    <div class="fields">
      <label>
        Go on by{' '}
        <select value={state.length} onChange={event => change({ length: Number(event.currentTarget.value) })}>
          {lengths.map(length => (
            <option key={length} value={length}>
              {length === 0 ? 'no tokens' : `${length} tokens`}
            </option>
          ))}
        </select>
      </label>
      {number('temperature', 'Temperature (0: the likeliest)', 0.1, 10)}
      {number('seed', 'Seed of draws and controls', 1, 2 ** 31)}
    </div>
  )
}

export function Continued({ went, state }: { went: Answered<Api['continued']['answer']>; state: State }) {
  const { value, problem, isWaiting } = went
  if (problem !== undefined) return <p class="warning">{problem}</p>
  if (!value) return <p role="status">{isWaiting ? 'Computing …' : ''}</p>
  return (
    <div aria-busy={isWaiting}>
      <dl class="went">
        {value.continuations.map(row => (
          <div key={`${row.kind}${row.id}`}>
            <dt>{rowName(row)}</dt>
            <dd>
              <bdi>{wholeText(row.text)}</bdi>
            </dd>
          </div>
        ))}
      </dl>
      {state.temperature > 0 && (
        <p class="soft">
          One draw each, with the same numbers for all rows: where a row differs from the text as it is, what was added
          did it. One draw is an example, no evidence.
        </p>
      )}
    </div>
  )
}
