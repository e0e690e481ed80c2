/** What is pulled from a hub: a model or a dataset, at a revision. */
import { UserError } from '../errors.ts'
import { quote } from '../quote.ts'

export interface Repository {
  readonly kind: 'model' | 'dataset'
  /** `owner/name`, or a name alone for the oldest ones. */
  readonly id: string
  /** Branch, tag or commit. */
  readonly revision: string
}

const part = '[A-Za-z0-9][A-Za-z0-9._-]{0,95}'
const idForm = new RegExp(`^(?:${part}/)?${part}$`)
const revisionForm = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/

/** The whole hash of a commit. */
export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision)

/** A repository by name; a `UserError` for names that no hub has. */
export function repositoryOf(kind: Repository['kind'], id: string, revision = 'main'): Repository {
  if (!idForm.test(id) || id.includes('..'))
    throw new UserError(`${quote(id)} is not the name of a ${kind} on a hub.`, { fix: 'Write it as owner/name.' })
  if (!revisionForm.test(revision) || revision.includes('..'))
    throw new UserError(`${quote(revision)} is not a branch, tag or commit.`, {
      fix: 'Write main, a tag, or a commit.',
    })
  return { kind, id, revision }
}

/** A file of a repository as the hub lists it. */
export interface RepositoryFile {
  readonly path: string
  readonly size: number
  /** What its bytes are known by: sha256 of large files, git's own hash (sha1) of the others. */
  readonly hash: { readonly kind: 'sha256' | 'git'; readonly hex: string }
}

/** Refuses a path that would lead out of the folder that it is put in. */
export function mustBeInside(path: string): string {
  const parts = path.split('/')
  const fine = parts.every(name => name !== '' && name !== '.' && name !== '..' && !/[\\\0]/.test(name))
  if (!fine || /^[A-Za-z]:/.test(path))
    throw new UserError(`The hub lists a file ${quote(path)}, which is no path of a repository.`)
  return path
}
