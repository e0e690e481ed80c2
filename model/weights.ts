/** Finds the weights that an architecture needs among what a file or a caller gives. */
import { UserError } from '../core/errors.ts'
import type { Architecture, BlockArchitecture } from './architecture.ts'
import { expectedShapes } from './shapes.ts'
import type { Shapes } from './sizes.ts'

/**
 * For each weight the name under which it was given: the name itself, another beginning of it, or an alias. Throws a
 * `UserError` for a weight that is missing, that has another shape than the config says, or that has no place in it;
 * tensors without elements have none and need none.
 */
export function matchWeights(architecture: Architecture, given: Shapes, where: string): Map<string, string> {
  const matches = new Map<string, string>()
  const used = new Set<string>()
  for (const [name, shape] of expectedShapes(architecture)) {
    const found = candidates(architecture, name).find(candidate => given.has(candidate))
    if (found === undefined)
      throw new UserError(`${where} has no tensor ${name}, which its config asks for.`, {
        fix: 'Check that config.json belongs to these weights and that every shard is there.',
      })
    const actual = given.get(found)!
    if (actual.join() !== shape.join())
      throw new UserError(
        `Tensor ${found} of ${where} has shape [${actual.join(', ')}], but its config asks for [${shape.join(', ')}].`,
        { fix: 'Check that config.json belongs to these weights.' },
      )
    matches.set(name, found)
    used.add(found)
  }
  const known = new Set([...matches.keys()].flatMap(name => candidates(architecture, name)))
  for (const [name, shape] of given)
    if (!used.has(name) && !known.has(name) && !architecture.ignored.test(name) && !shape.includes(0))
      throw new UserError(`${where} has a tensor ${name}, for which its config has no place.`, {
        fix: 'Check that config.json belongs to these weights (layer count, biases, tied head).',
      })
  return matches
}

/**
 * The names under which a tied embedding and a head apart were both given; undefined where there is only one of them. A
 * config may say that they are tied beside a file in which they differ: the file's own head is the head then.
 */
export function tiedAndGiven(
  architecture: Architecture,
  given: Shapes,
): { embedding: string; head: string } | undefined {
  if (architecture.tiedHead === null) return undefined
  const embedding = spellings(architecture, architecture.embedding).find(name => given.has(name))
  const head = candidates(architecture, architecture.tiedHead).find(name => given.has(name))
  return embedding === undefined || head === undefined ? undefined : { embedding, head }
}

/** The architecture with the head apart. */
export function untied(architecture: Architecture): Architecture {
  return { ...architecture, unembedding: architecture.tiedHead ?? architecture.unembedding, tiedHead: null }
}

/** A block whose experts are together in the file, where they are so there; any other block as it is. */
export function expertsAsGiven(
  block: BlockArchitecture,
  renamings: Pick<Architecture, 'renamings'>,
  given: Shapes,
): BlockArchitecture {
  const { mlp } = block
  if (mlp.form !== 'experts' || mlp.experts.form !== 'listed') return block
  const { together } = mlp.experts
  if (!spellings(renamings, together.gateUp).some(name => given.has(name))) return block
  return { ...block, mlp: { ...mlp, router: together.router, experts: together } }
}

/** The names under which files hold a weight, the likeliest first. */
function candidates(architecture: Architecture, name: string): string[] {
  return [name, ...(architecture.aliases[name] ?? [])].flatMap(base => spellings(architecture, base))
}

/** A name as it is, and with the other beginnings that files have. */
function spellings({ renamings }: Pick<Architecture, 'renamings'>, name: string): string[] {
  return [
    name,
    ...renamings.flatMap(([above, inFile]) => (name.startsWith(above) ? [inFile + name.slice(above.length)] : [])),
  ]
}
