/** Readable run ids that depend on the run's key alone: `train-brave-otter-3f2a`. */
import { UserError } from '../core/errors.ts'
import { partialEnding } from '../core/files.ts'
import { RunId } from './run.ts'

const adjectives =
  'amber bold brave brief bright brisk calm clear clever cool crisp deep eager early fair fast fine fleet fond frank fresh gentle glad grand green happy hardy honest keen kind late light little lively lucid lucky mellow merry mild modest neat noble open patient plain polite proud quick quiet rapid ready rosy round sharp shy silver sleek smooth steady sunny swift tidy warm wise'.split(
    ' ',
  )
const animals =
  'badger beaver bison crane cricket deer dove eagle falcon ferret finch fox gecko goose hare hawk heron horse ibex jackal jay kestrel koala lark lemur lion llama lynx magpie marten mole moose moth newt ocelot orca otter owl panda parrot pelican pigeon plover puffin quail rabbit raven robin salmon seal shrew sparrow squid stork swan tapir tern thrush tiger toad trout turtle viper walrus'.split(
    ' ',
  )

/**
 * Ids for a run with this key, the plainest first; the later ones are for the rare case that the first belongs to
 * another key already. `prefix` is what the id begins with, usually the stage.
 */
export function idsFor(prefix: string, key: string): string[] {
  const adjective = adjectives[Number.parseInt(key.slice(0, 4), 16) % adjectives.length]!
  const animal = animals[Number.parseInt(key.slice(4, 8), 16) % animals.length]!
  return [4, 8, 64].map(digits => `${prefix}-${adjective}-${animal}-${key.slice(8, 8 + digits)}`)
}

/** Longest beginning of an id that leaves room for the words and digits behind it. */
const longestPrefix = 72

/** Refuses what ids cannot begin with, before anything is done under such a name. */
export function checkPrefix(prefix: string): void {
  checkId(prefix)
  if (prefix.length > longestPrefix)
    throw new UserError(
      `Run ids cannot begin with ${JSON.stringify(prefix)}: it has ${prefix.length} letters, and ${longestPrefix} are the most.`,
      { fix: 'Choose a shorter name.' },
    )
}

/** Whether an id is one plain folder name everywhere. */
export const isId = (id: string): boolean => RunId.safeParse(id).success && !id.endsWith(partialEnding)

/** Refuses ids that are not. */
export function checkId(id: string): void {
  if (isId(id)) return
  throw new UserError(
    `The run name ${JSON.stringify(id)} is not usable: a name has 1 to 100 letters, digits, dots, dashes and underscores, and starts with a letter or digit.`,
    { fix: 'Choose another --name.' },
  )
}

/** The folder beside the runs in which shared work is left until its run is closed. */
export const partsFolder = '.parts'
