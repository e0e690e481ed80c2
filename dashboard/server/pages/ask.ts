/** What pages know: answers of the API of the same server, checked and typed, without the network. */
import type { z } from 'zod'
import { messageOf, UserError } from '../../../core/errors.ts'
import type { Contract } from '../../api/contract.ts'
import { commandText, shown } from '../../html.ts'
import type { Sources } from '../route.ts'
import { routes } from '../routes/index.ts'

/** A question as an address would hold it. */
export interface PageQuestion {
  readonly parts?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string | readonly string[] | undefined>>
}

/** Asks one route. */
export type Ask = <Asked extends Contract>(
  contract: Asked,
  question?: PageQuestion,
) => Promise<z.output<Asked['answer']>>

/** Asks the routes of the server itself; a `UserError` is that of the API. */
export function askOf(sources: Sources): Ask {
  return async (contract, { parts = {}, query = {} } = {}) => {
    const route = routes.find(one => one.contract.name === contract.name)
    if (!route) throw new Error(`No route answers ${contract.name}.`)
    const given = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined && value !== ''))
    const signal = new AbortController().signal
    const answer = await route.answer(sources, { parts, query: given, body: undefined, signal })
    if ('file' in answer) throw new Error(`The route ${contract.name} gives a file.`)
    return contract.answer.parse(await answer.value()) as z.output<(typeof contract)['answer']>
  }
}

/** A part of a page that may be refused: what the refusal says instead. HTML. */
export async function orWhyNot(part: Promise<string>): Promise<string> {
  try {
    return await part
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    const isCommand = error.fix === undefined || error.fix.startsWith('pipeline ')
    return isCommand ? notRun(messageOf(error), error.fix) : notShown(messageOf(error), error.fix!)
  }
}

/** Something that is there and cannot be shown, and what mends it. HTML. */
const notShown = (what: string, fix: string): string =>
  `<div class="nothing"><p>Not shown: ${shown(what, 500)}</p><p>${shown(fix, 500)}</p></div>`

/** Something that was not done, and the command that would. HTML. */
export function notRun(what: string, command?: string | null): string {
  return `<div class="nothing"><p>Not run: ${shown(what, 500)}</p>${command ? `<code class="command" tabindex="0">${commandText(command, 500)}</code>` : ''}</div>`
}
