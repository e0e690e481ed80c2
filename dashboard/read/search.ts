/** Latents by what their examples hold: examples.parquet is gone through a piece at a time, and only who was found is kept. */
import type * as arrow from 'apache-arrow'
import { scanTable } from '../../datasets/tables.ts'
import { labelsSchema } from '../../labels/feature.ts'

/** Latents that were found, which take few bytes however large the file was. */
export class FoundLatents {
  readonly latents: ReadonlySet<number>

  constructor(latents: ReadonlySet<number>) {
    this.latents = latents
  }

  /** About as many as a set of numbers takes. */
  get bytes(): number {
    return 32 * this.latents.size
  }
}

/** Latents with an example that is strongest at this token, spaces around it aside. */
export function strongestAt(path: string, token: string): Promise<FoundLatents> {
  const wanted = token.trim()
  return found(path, ['position', 'start'], batch => {
    const [tokens, position, start] = ['tokens', 'position', 'start'].map(name => batch.getChild(name)!)
    return row => {
      const text = (tokens!.get(row) as arrow.Vector).get(position!.get(row) - start!.get(row)) as string | null
      return text === token || text?.trim() === wanted
    }
  })
}

/** Latents that fire in an example with this text, without regard to case. */
export function firingIn(path: string, text: string): Promise<FoundLatents> {
  const wanted = text.toLowerCase()
  return found(path, [], batch => {
    const tokens = batch.getChild('tokens')!
    return row => [...(tokens.get(row) as Iterable<string>)].join('').toLowerCase().includes(wanted)
  })
}

async function found(
  path: string,
  more: readonly string[],
  holdsIn: (batch: arrow.Table) => (row: number) => boolean,
): Promise<FoundLatents> {
  const latents = new Set<number>()
  const columns = ['latent', 'group', 'tokens', ...more]
  await scanTable(path, { columns, schema: labelsSchema }, batch => {
    const [latent, group] = [batch.getChild('latent')!, batch.getChild('group')!]
    const holds = holdsIn(batch)
    for (let row = 0; row < batch.numRows; row++) {
      const own = latent.get(row) as number
      if (!latents.has(own) && !(group.get(row) as string).startsWith('silent') && holds(row)) latents.add(own)
    }
  })
  return new FoundLatents(latents)
}
