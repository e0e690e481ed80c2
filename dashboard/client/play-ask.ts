/** Questions of the playground: one at a time, since the server computes one thing after the other and refuses older ones that wait. */
import { useEffect, useState } from 'preact/hooks'

/** Milliseconds after the last key before anything is asked, and before what takes long is. */
const patience = 150
export const longPatience = 300

/** Asks when it is the question's turn; one whose signal was aborted by then is not asked. */
export type Turns = <T>(signal: AbortSignal, ask: () => Promise<T>) => Promise<T>

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve()
  return (signal, ask) => {
    const own = last.then(() => {
      signal.throwIfAborted()
      return ask()
    })
    last = own.catch(() => undefined)
    return own
  }
}

/** An answer that is there, is waited for, or was refused. */
export interface Answered<T> {
  readonly value?: T | undefined
  readonly problem?: string
  readonly isWaiting: boolean
}

/** The answer to the newest question with this key; older ones are dropped. An empty key asks nothing. */
export function useAnswer<T>(
  key: string,
  turns: Turns,
  ask: (signal: AbortSignal) => Promise<T>,
  wait = patience,
): Answered<T> {
  const [answer, setAnswer] = useState<Answered<T>>({ isWaiting: key !== '' })
  useEffect(() => {
    if (key === '') return setAnswer({ isWaiting: false })
    const abort = new AbortController()
    setAnswer(({ value }) => ({ ...(value === undefined ? {} : { value }), isWaiting: true }))
    const timer = setTimeout(async () => {
      try {
        const value = await turns(abort.signal, () => ask(abort.signal))
        if (!abort.signal.aborted) setAnswer({ value, isWaiting: false })
      } catch (error) {
        if (abort.signal.aborted) return
        const fix = error instanceof Error && 'fix' in error && error.fix ? ` ${error.fix}` : ''
        setAnswer({ problem: `${error instanceof Error ? error.message : error}${fix}`, isWaiting: false })
      }
    }, wait)
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }, [key])
  return answer
}
