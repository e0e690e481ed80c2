/** The first edit of the playground as a claim: the file that states it before anything is measured, and the command that tests it. */
import type { PlayEdit } from '../api/types.ts'
import { claimCommand, claimText, interventionOf, usualDirection } from './claim.ts'
import { copied } from './copy.ts'
import { type ClaimText, newClaim } from './play-state.ts'

interface ClaimProps {
  readonly edit: PlayEdit
  readonly sae: string
  readonly claim: ClaimText | null
  readonly setClaim: (claim: ClaimText | null) => void
}

export function Claim({ edit: { latent, kind, strength = 1 }, sae, claim, setClaim }: ClaimProps) {
  if (claim === null)
    return (
      <p>
        <button type="button" onClick={() => setClaim(newClaim())}>
          Register as a claim
        </button>
      </p>
    )
  const edit = { latent, kind, strength }
  if (interventionOf(kind) === null)
    return (
      <p class="warning">
        pipeline validate tests ablating and steering: make the edit of latent {latent} one of these to claim something
        of it.
      </p>
    )
  const text = claimText(edit, claim, new Date().toISOString())
  const command = claimCommand(edit, sae)
  const set = (more: Partial<ClaimText>) => setClaim({ ...claim, ...more })
  const save = () => {
    const link = document.createElement('a')
    link.href = URL.createObjectURL(new Blob([text], { type: 'text/yaml' }))
    link.download = 'claim.yaml'
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 0)
  }
  return (
    <section aria-label={`Claim of latent ${latent}`} class="registered">
      <div class="fields">
        <label class="wide">
          Hypothesis{' '}
          <input value={claim.hypothesis} onInput={event => set({ hypothesis: event.currentTarget.value })} />
        </label>
        <label>
          Concept, such as language=de{' '}
          <input value={claim.concept} onInput={event => set({ concept: event.currentTarget.value })} />
        </label>
        <label>
          Its target should{' '}
          <select
            value={claim.direction || usualDirection(edit)}
            onChange={event => set({ direction: event.currentTarget.value as ClaimText['direction'] })}
          >
            <option value="decrease">decrease</option>
            <option value="increase">increase</option>
          </select>
        </label>
        <label>
          by at least, nats{' '}
          <input
            type="number"
            min={0.001}
            step={0.01}
            value={claim.smallest}
            onChange={event => {
              const smallest = Number(event.currentTarget.value)
              if (smallest > 0) set({ smallest })
            }}
          />
        </label>
      </div>
      <pre class="command">{text}</pre>
      <code class="command">{command}</code>
      <p class="soft">
        Nothing is written here: save the file before anything is measured, then run the command. Without a concept the
        target is what follows where the latent is active. A dose counts in the latent’s p99 activation, a strength here
        in its largest.
      </p>
      <p class="copies">
        <button type="button" onClick={() => copied(text, 'Claim')}>
          Copy the claim
        </button>
        <button type="button" onClick={save}>
          Save claim.yaml
        </button>
        <button type="button" onClick={() => copied(command, 'Command')}>
          Copy the command
        </button>
        <button type="button" onClick={() => setClaim(null)}>
          Close
        </button>
      </p>
    </section>
  )
}
