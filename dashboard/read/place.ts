/** How far a stream of events is, as text: what its events carry as their id, and where it goes on. */
import { UserError } from '../../core/errors.ts'

/** How far a stream is: bytes by run. */
export type Place = ReadonlyMap<string, number>

/** A place as the id of an event, and back; a `UserError` for a text that is none. */
export function placeText(place: Place): string {
  return [...place].map(([run, byte]) => `${run}:${byte}`).join(',')
}

export function parsePlace(text: string): Map<string, number> {
  const place = new Map<string, number>()
  for (const part of text.split(',').filter(Boolean)) {
    const [, run, byte] = /^([A-Za-z0-9][A-Za-z0-9._-]{0,99}):(\d{1,15})$/.exec(part) ?? []
    if (run === undefined)
      throw new UserError(`${JSON.stringify(part.slice(0, 60))} is no place of a stream.`, {
        fix: 'Send back the id of an event.',
      })
    place.set(run, Number(byte))
  }
  return place
}
