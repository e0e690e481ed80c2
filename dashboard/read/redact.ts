/** Secrets left out of what is shown of a run: values under such names, values that look like keys, and those of the environment. */

const removed = '(left out)'

/** The last word of a key that holds a secret: `apiKey`, `hf_token`, `password`. A `bosToken` is a token of a language. */
const secretName =
  /^token$|(^|_|-)((api|access|auth|hf|hub|bearer|secret|private|session)[-_]?(key|token)|secrets?|passw(or)?d|credentials?|authorization)$/i

/** What keys of well-known services look like, and a name with password in an address. */
const secretValue =
  /\b(hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{16,}|gh[opsu]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|xox[abpr]-[\w-]{10,}|AKIA[0-9A-Z]{16})\b|\bBearer\s+[\w.~+/=-]{12,}|(?<=:\/\/)[^\s/@:]+:[^\s/@]+(?=@)/g

/** Texts of the environment that are secrets by their name. */
function ownSecrets(environment: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(environment).flatMap(([name, value]) =>
    value !== undefined && value.length >= 8 && /(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$/i.test(name)
      ? [value]
      : [],
  )
}

/** A value without secrets; what is none stays as it is. */
export function redacted<T>(value: T, environment: Readonly<Record<string, string | undefined>> = process.env): T {
  const secrets = ownSecrets(environment)
  const text = (part: string) =>
    secrets.reduce((rest, secret) => rest.replaceAll(secret, removed), part.replace(secretValue, removed))
  const walk = (part: unknown, name: string): unknown => {
    if (typeof part === 'string') return secretName.test(words(name)) && part !== '' ? removed : text(part)
    if (Array.isArray(part)) return part.map(one => walk(one, name))
    if (part === null || typeof part !== 'object') return part
    return Object.fromEntries(Object.entries(part).map(([key, one]) => [key, walk(one, key)]))
  }
  return walk(value, '') as T
}

/** A key's words apart: `apiKey` is `api_Key`. */
const words = (name: string) => name.replace(/([a-z0-9])([A-Z])/g, '$1_$2')
