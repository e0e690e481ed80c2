/** The playground: a text, the features that fire on it, edits of them, and what those do beside controls of equal norm. */
import { render } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { clip, visible } from '../../core/visible.ts'
import { createClient } from '../api/client.ts'
import type { Api, PlayEdit, PlayRow } from '../api/types.ts'
import { short } from '../charts/scale.ts'

type Fires = Api['fires']['answer']
type Played = Api['play']['answer']
type Kind = PlayEdit['kind']

/** Milliseconds after the last key before anything is asked. */
const patience = 150

interface State {
  readonly sae: string
  readonly text: string
  readonly edits: readonly PlayEdit[]
  readonly target: string
  readonly distractor: string
  readonly order: NonNullable<Api['fires']['body']['order']>
}

const kinds: Readonly<Record<Kind, string>> = {
  ablate: 'ablate: to 0',
  set: 'set to strength × its largest',
  scale: 'scale by strength',
  add: 'steer: add strength × its largest',
}

/** The state as an address has it, and back. */
export function searchOf({ sae, text, edits, target, distractor, order }: State): string {
  const query = new URLSearchParams({ sae, text })
  for (const { latent, kind, strength } of edits) query.append('edit', `${latent}:${kind}:${strength ?? 1}`)
  for (const [name, value] of Object.entries({ target, distractor })) if (value) query.set(name, value)
  if (order !== 'max') query.set('order', order)
  return query.toString()
}

export function stateOf(search: string, firstSae: string): State {
  const query = new URLSearchParams(search)
  const edits = query.getAll('edit').flatMap((text): PlayEdit[] => {
    const [latent, kind, strength] = text.split(':')
    const known = kind !== undefined && Object.hasOwn(kinds, kind)
    return known && /^\d+$/.test(latent!)
      ? [{ latent: Number(latent), kind: kind as Kind, strength: Number(strength) || 0 }]
      : []
  })
  const order = (['sum', 'max', 'norm', 'specificity'] as const).find(one => one === query.get('order')) ?? 'max'
  return {
    ...{ sae: query.get('sae') ?? firstSae, text: query.get('text') ?? 'The cat sat on the mat.', edits, order },
    ...{ target: query.get('target') ?? '', distractor: query.get('distractor') ?? '' },
  }
}

/** The answer to the newest question; older ones are dropped. */
function useAnswer<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  key: string,
): { value?: T; problem?: string; isWaiting: boolean } {
  const [answer, setAnswer] = useState<{ value?: T; problem?: string; isWaiting: boolean }>({ isWaiting: true })
  useEffect(() => {
    const abort = new AbortController()
    setAnswer(({ value }) => ({ ...(value === undefined ? {} : { value }), isWaiting: true }))
    const timer = setTimeout(async () => {
      try {
        const value = await ask(abort.signal)
        if (!abort.signal.aborted) setAnswer({ value, isWaiting: false })
      } catch (error) {
        if (abort.signal.aborted) return
        const fix = error instanceof Error && 'fix' in error && error.fix ? ` ${error.fix}` : ''
        setAnswer({ problem: `${error instanceof Error ? error.message : error}${fix}`, isWaiting: false })
      }
    }, patience)
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }, [key])
  return answer
}

interface PlayProps {
  readonly session: string
  readonly saes: readonly { readonly id: string; readonly site: string | null }[]
}

function Play({ session, saes }: PlayProps) {
  const ask = useRef(createClient({ session })).current
  const [state, setState] = useState(() => stateOf(location.search, saes[0]!.id))
  const change = (more: Partial<State>) => setState(now => ({ ...now, ...more }))
  const search = searchOf(state)
  useEffect(() => history.replaceState(null, '', `?${search}`), [search])
  const { sae, text, edits, order, target, distractor } = state
  const fires = useAnswer<Fires | undefined>(
    async signal => (text === '' ? undefined : ask('fires', { body: { sae, text, order, count: 40 }, signal })),
    JSON.stringify([sae, text, order]),
  )
  const metric = target === '' ? {} : { metric: distractor === '' ? { target } : { target, distractor } }
  const played = useAnswer<Played | undefined>(
    async signal =>
      text === '' ? undefined : ask('play', { body: { sae, text, edits: [...edits], ...metric }, signal }),
    JSON.stringify([sae, text, edits, metric]),
  )
  const setEdit = (place: number, more: Partial<PlayEdit> | null) =>
    change({ edits: edits.flatMap((edit, i) => (i !== place ? [edit] : more === null ? [] : [{ ...edit, ...more }])) })
  return (
    <div class="play">
      <div class="fields">
        <label>
          SAE{' '}
          <select value={sae} onChange={event => change({ sae: event.currentTarget.value, edits: [] })}>
            {saes.map(({ id, site }) => (
              <option key={id} value={id}>
                {id} {site === null ? '' : `(${site})`}
              </option>
            ))}
          </select>
        </label>
        <label class="wide">
          Text{' '}
          <textarea
            rows={3}
            data-search=""
            value={text}
            onInput={event => change({ text: event.currentTarget.value })}
          />
        </label>
      </div>
      <div class="two">
        <section aria-labelledby="fires">
          <h2 id="fires">Features that fire</h2>
          <Firing fires={fires} order={order} change={change} edits={edits} />
        </section>
        <section aria-labelledby="edits">
          <h2 id="edits">Edits</h2>
          <Edits edits={edits} setEdit={setEdit} />
          <div class="fields">
            <label>
              Target token <input value={target} onInput={event => change({ target: event.currentTarget.value })} />
            </label>
            <label>
              less token{' '}
              <input value={distractor} onInput={event => change({ distractor: event.currentTarget.value })} />
            </label>
          </div>
          <h2>What they do</h2>
          <Effects played={played} hasEdits={edits.length > 0} />
        </section>
      </div>
    </div>
  )
}

interface FiringProps {
  readonly fires: { value?: Fires | undefined; problem?: string; isWaiting: boolean }
  readonly order: State['order']
  readonly edits: readonly PlayEdit[]
  readonly change: (more: Partial<State>) => void
}

function Firing({ fires, order, edits, change }: FiringProps) {
  const { value, problem, isWaiting } = fires
  if (problem !== undefined) return <p class="warning">{problem}</p>
  if (!value) return <p role="status">{isWaiting ? 'Computing …' : 'Type a text.'}</p>
  return (
    <>
      <p class="soft" role="status">
        {value.tokens.length} tokens, {value.firing} features fire{isWaiting ? '; computing …' : ''}
      </p>
      <p class="example">
        {value.tokens.map((token, i) => (
          <span key={i} class="token">
            {tokenText(token.text)}
          </span>
        ))}
      </p>
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
      <section class="scroll tall" tabIndex={0} aria-label="Features that fire on the text">
        <table data-rows="">
          <thead>
            <tr>
              <th scope="col">Feature</th>
              <th scope="col">Label</th>
              <th scope="col">At</th>
              <th scope="col" class="number">
                Largest
              </th>
              <th scope="col">Edit</th>
            </tr>
          </thead>
          <tbody>
            {value.features.map(one => (
              <tr key={one.latent}>
                <td>
                  {one.label === null ? (
                    one.latent
                  ) : (
                    <a href={`/runs/${encodeURIComponent(one.label.run)}/features/${one.latent}`}>{one.latent}</a>
                  )}
                </td>
                <td>
                  {one.label === null ? (
                    <span class="soft">no label</span>
                  ) : (
                    <>
                      {tokenText(one.label.text)}
                      <small>
                        {one.label.scoreName} {short(one.label.score as number | null)}, covers{' '}
                        {short(one.label.coverage as number | null)}, {one.label.verdict}
                      </small>
                    </>
                  )}
                </td>
                <td>{tokenText(value.tokens[one.peak]?.text ?? '')}</td>
                <td class="number">{short(one.max)}</td>
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

function Edits({
  edits,
  setEdit,
}: {
  edits: readonly PlayEdit[]
  setEdit: (place: number, more: Partial<PlayEdit> | null) => void
}) {
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
                min={edit.kind === 'scale' ? -4 : -4}
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
            aria-label={`Take the edit of feature ${edit.latent} away`}
            onClick={() => setEdit(i, null)}
          >
            remove
          </button>
        </li>
      ))}
    </ul>
  )
}

const rowNames: Readonly<Record<PlayRow['kind'], string>> = {
  edit: 'the edit',
  random: 'random direction, equal norm',
  foreign: 'another latent, equal norm',
}

function Effects({
  played,
  hasEdits,
}: {
  played: { value?: Played | undefined; problem?: string; isWaiting: boolean }
  hasEdits: boolean
}) {
  const { value, problem, isWaiting } = played
  if (problem !== undefined) return <p class="warning">{problem}</p>
  if (!value) return <p role="status">{isWaiting ? 'Computing …' : 'Type a text.'}</p>
  const edit = value.rows.find(({ kind }) => kind === 'edit')
  const changes = new Map(edit?.next.map(one => [one.token, one]))
  const name =
    value.metric === null
      ? null
      : `${tokenText(value.metric.target.text)}${value.metric.distractor === null ? '' : ` less ${tokenText(value.metric.distractor.text)}`}`
  return (
    <div aria-busy={isWaiting}>
      <p class="soft" role="status">
        After “{tokenText(value.tokens[value.position]?.text ?? '')}”, {short(value.seconds * 1000)} ms
        {isWaiting ? '; computing …' : ''}
      </p>
      {hasEdits && (
        <div class="scroll">
          <table>
            <caption class="unseen">The edit beside its controls</caption>
            <thead>
              <tr>
                <th scope="col">Row</th>
                <th scope="col" class="number">
                  Norm
                </th>
                <th scope="col" class="number">
                  KL, nats
                </th>
                <th scope="col" class="number">
                  {name === null ? 'Target' : `Change of ${name}`}
                </th>
              </tr>
            </thead>
            <tbody>
              {value.rows.map(row => (
                <tr key={`${row.kind}${row.id}`}>
                  <td>
                    {rowNames[row.kind]}
                    {row.kind === 'foreign' && row.id !== null ? ` (${row.id})` : ''}
                  </td>
                  <td class="number">{short(row.norm)}</td>
                  <td class="number">{short(row.kl)}</td>
                  <td class="number">{value.metric === null ? '–' : short(row.change as number | null)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <div class="scroll">
        <table>
          <caption class="unseen">Next token as it is, and after the edit</caption>
          <thead>
            <tr>
              <th scope="col">Next token</th>
              <th scope="col" class="number">
                p as it is
              </th>
              <th scope="col" class="number">
                p edited
              </th>
              <th scope="col" class="number">
                Logit changes by
              </th>
            </tr>
          </thead>
          <tbody>
            {value.base.next.map(one => (
              <tr key={one.token}>
                <td>{tokenText(one.text)}</td>
                <td class="number">{short(one.p)}</td>
                <td class="number">{short(changes.get(one.token)?.p ?? null)}</td>
                <td class="number">{short(changes.get(one.token)?.change ?? null)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  )
}

/** A token or label as text: what cannot be seen is written out, a long one cut. */
const tokenText = (text: string) => visible(clip(text, 60)).replace(/^ | $/g, '·') || '∅'

const place = document.getElementById('play')
if (place?.dataset.saes) {
  const { session = '', saes } = place.dataset
  place.replaceChildren()
  render(<Play session={session} saes={JSON.parse(saes) as PlayProps['saes']} />, place)
  performance.mark('interactive')
}
