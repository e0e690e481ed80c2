/** Whether findings that are joined are about the same SAE, model and text: held by content, never by name. */
import { UserError } from '../core/errors.ts'
import { quote } from '../core/quote.ts'
import type { Hashes } from '../validation/evidence.ts'

type Part = keyof Hashes

/** What something is about: hashes, and what messages call each part. */
export interface About {
  /** `the evidence run42-validate`, `this labelling`. */
  readonly what: string
  readonly hashes: Partial<Hashes>
  readonly names?: Partial<Record<Part, string>>
}

const words: Readonly<Record<Part, string>> = { sae: 'SAE', model: 'model', dataset: 'text' }

/** Refuses to join findings about another SAE, model or text; every part that both sides know is compared. */
export function mustBelong(joined: About, to: About): void {
  for (const part of ['sae', 'model', 'dataset'] as const) {
    const [theirs, ours] = [joined.hashes[part], to.hashes[part]]
    if (theirs === undefined || ours === undefined || theirs === ours) continue
    const called = ({ names }: About, hash: string) => {
      const short = hash.slice(0, 12)
      return names?.[part] === undefined ? `one of hash ${short}` : `${quote(names[part])} (hash ${short})`
    }
    throw new UserError(
      `${joined.what[0]!.toUpperCase()}${joined.what.slice(1)} is about another ${words[part]} than ${to.what}: ${called(joined, theirs)}, not ${called(to, ours)}.`,
      { fix: fixes[part] },
    )
  }
}

const fixes: Readonly<Record<Part, string>> = {
  sae: 'Name what was found of this SAE, or the SAE that it was found of.',
  model: 'Name the model of the other with --model, or what was found with this one.',
  dataset:
    'Give the same text with the same settings (the keys of dataset, the split and its seed among them), or name what was found on this text.',
}
