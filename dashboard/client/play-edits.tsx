/** The edits of the playground, each with what is done and how strongly. */
import type { PlayEdit } from '../api/types.ts'
import { short } from '../charts/scale.ts'
import { type Kind, kinds } from './play-state.ts'

interface EditsProps {
  readonly edits: readonly PlayEdit[]
  readonly setEdit: (place: number, more: Partial<PlayEdit> | null) => void
}

export function Edits({ edits, setEdit }: EditsProps) {
  if (edits.length === 0) return <p class="nothing">None yet: press edit beside a feature.</p>
  return (
    <ul class="edits">
      {edits.map((edit, i) => (
        <li key={i}>
          <b>{edit.latent}</b>{' '}
          <select
            aria-label={`What is done to feature ${edit.latent}`}
            value={edit.kind}
            onChange={event => setEdit(i, { kind: event.currentTarget.value as Kind })}
          >
            {Object.entries(kinds).map(([kind, text]) => (
              <option key={kind} value={kind}>
                {text}
              </option>
            ))}
          </select>{' '}
          {edit.kind !== 'ablate' && (
            <label>
              strength{' '}
              <input
                type="range"
                min={-4}
                max={4}
                step={0.1}
                value={edit.strength ?? 1}
                onInput={event => setEdit(i, { strength: Number(event.currentTarget.value) })}
              />{' '}
              <output>{short(edit.strength ?? 1)}</output>
            </label>
          )}{' '}
          <button
            type="button"
            aria-label={`Remove the edit of feature ${edit.latent}`}
            onClick={() => setEdit(i, null)}
          >
            remove
          </button>
        </li>
      ))}
    </ul>
  )
}
