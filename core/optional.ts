/** Packages that only some ways of working need: loaded when they are asked for, and refused by a sentence where absent. */
import { codeOf, messageOf, UserError } from './errors.ts'

/** Loads an optional package; `what` is what needs it, as a sentence begins. */
export async function load<T>(name: string, what: string, importing: () => Promise<T>): Promise<T> {
  try {
    return await importing()
  } catch (error) {
    const code = codeOf(error)
    if ((code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && messageOf(error).includes(name))
      throw new UserError(`${what} needs the package ${name}, which is not installed.`, {
        fix: `npm install ${name}`,
        cause: error,
      })
    throw error
  }
}
