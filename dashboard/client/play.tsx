/** The playground: a text or two, the features that fire on them, edits of these, and what those do beside controls of equal norm. */
import { render } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { createClient } from '../api/client.ts'
import type { PlayEdit } from '../api/types.ts'
import { createTurns, longPatience, type Turns, useAnswer } from './play-ask.ts'
import { Claim } from './play-claim.tsx'
import { Continued, ContinueFields } from './play-continued.tsx'
import { Edits } from './play-edits.tsx'
import { Effects } from './play-effects.tsx'
import { Firing } from './play-firing.tsx'
import { type State, searchOf, stateOf } from './play-state.ts'

type Ask = ReturnType<typeof createClient>

/** Tokens whose probabilities are asked for, so that those of the table are known after the edit, too. */
const readTokens = 60

/** Features that are listed of a text. */
const listed = 40

interface PlayProps {
  readonly session: string
  readonly saes: readonly { readonly id: string; readonly site: string | null; readonly model: string | null }[]
}

function Play({ session, saes }: PlayProps) {
  const ask = useRef(createClient({ session })).current
  const turns = useRef(createTurns()).current
  const [state, setState] = useState(() =>
    stateOf(location.search, saes[0]!.id, new Map(saes.map(({ id, model }) => [id, model]))),
  )
  const change = (more: Partial<State>) => setState(now => ({ ...now, ...more }))
  const search = searchOf(state)
  useEffect(() => history.replaceState(null, '', `?${search}`), [search])
  const { sae, text, second, edits, order } = state
  const bodyOf = (text: string) => ({ sae, text, order, count: listed })
  const useFires = (text: string) =>
    useAnswer(text === '' ? '' : JSON.stringify([sae, text, order]), turns, signal =>
      ask('fires', { body: bodyOf(text), signal }),
    )
  const isKnown = saes.some(({ id }) => id === sae)
  const fires = useFires(text)
  const other = useFires(second ?? '')
  const setEdit = (place: number, more: Partial<PlayEdit> | null) =>
    change({ edits: edits.flatMap((edit, i) => (i !== place ? [edit] : more === null ? [] : [{ ...edit, ...more }])) })
  const done = (title: string, text: string) => (
    <>
      <h2>{title}</h2>
      <Done ask={ask} turns={turns} state={state} text={text} />
    </>
  )
  return (
    <div class="play">
      <Question state={state} saes={saes} change={change} />
      <div class="two">
        <section aria-labelledby="fires">
          <h2 id="fires">Features that fire</h2>
          <Firing
            fires={fires}
            other={second === null ? undefined : other}
            order={order}
            change={change}
            edits={edits}
            bodyOf={isSecond => bodyOf(isSecond ? (second ?? '') : text)}
          />
        </section>
        <section aria-labelledby="edits">
          <h2 id="edits">Edits</h2>
          <Edits edits={edits} setEdit={setEdit} />
          {edits[0] && isKnown && (
            <Claim edit={edits[0]} sae={sae} claim={state.claim} setClaim={claim => change({ claim })} />
          )}
          <div class="fields">
            <label>
              Target token{' '}
              <input value={state.target} onInput={event => change({ target: event.currentTarget.value })} />
            </label>
            <label>
              less token{' '}
              <input value={state.distractor} onInput={event => change({ distractor: event.currentTarget.value })} />
            </label>
            <label class="check">
              <input
                type="checkbox"
                checked={state.frozen}
                onChange={event => change({ frozen: event.currentTarget.checked })}
              />{' '}
              also with attention frozen
            </label>
          </div>
          <ContinueFields state={state} change={change} />
          {second === null && done('What they do', text)}
        </section>
      </div>
      {second !== null && (
        <div class="two">
          <section>{done('What they do, first text', text)}</section>
          <section>{done('What they do, second text', second)}</section>
        </div>
      )}
    </div>
  )
}

/** The SAE and the texts. */
function Question({
  state,
  saes,
  change,
}: {
  state: State
  saes: PlayProps['saes']
  change: (more: Partial<State>) => void
}) {
  const { sae, text, second } = state
  return (
    <div class="fields">
      <label>
        SAE{' '}
        <select value={sae} onChange={event => change({ sae: event.currentTarget.value, edits: [], claim: null })}>
          {saes.map(({ id, site }) => (
            <option key={id} value={id}>
              {id} {site === null ? '' : `(${site})`}
            </option>
          ))}
        </select>
      </label>
      <label class="wide">
        Text{' '}
        <textarea rows={3} data-search="" value={text} onInput={event => change({ text: event.currentTarget.value })} />
      </label>
      {second === null ? (
        <button type="button" onClick={() => change({ second: text })}>
          Add a second text
        </button>
      ) : (
        <>
          <label class="wide">
            Second text{' '}
            <textarea rows={3} value={second} onInput={event => change({ second: event.currentTarget.value })} />
          </label>
          <button type="button" onClick={() => change({ second: null })}>
            Take it away
          </button>
        </>
      )}
    </div>
  )
}

/** What the edits do on one text: to the next token, and where asked to how it goes on. */
function Done({ ask, turns, state, text }: { ask: Ask; turns: Turns; state: State; text: string }) {
  const { sae, edits, target, distractor, frozen, seed, length, temperature } = state
  const metric = target === '' ? {} : { metric: distractor === '' ? { target } : { target, distractor } }
  const body = { sae, text, edits: [...edits], seed }
  const question = { ...body, ...metric, top: readTokens, frozen: frozen && edits.length > 0 }
  const played = useAnswer(text === '' ? '' : JSON.stringify([body, metric, frozen]), turns, signal =>
    ask('play', { body: question, signal }),
  )
  const went = useAnswer(
    text === '' || length === 0 ? '' : JSON.stringify([body, length, temperature]),
    turns,
    signal => ask('continued', { body: { ...body, length, temperature }, signal }),
    longPatience,
  )
  return (
    <>
      <Effects played={played} hasEdits={edits.length > 0} body={question} />
      {length > 0 && (
        <>
          <h3>How it goes on</h3>
          <Continued went={went} state={state} />
        </>
      )}
    </>
  )
}

const place = document.getElementById('play')
if (place?.dataset.saes) {
  const { session = '', saes } = place.dataset
  place.replaceChildren()
  render(<Play session={session} saes={JSON.parse(saes) as PlayProps['saes']} />, place)
  performance.mark('interactive')
}
