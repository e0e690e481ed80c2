/** Lists of settings in which nothing may stand twice. */
import type { z } from 'zod'

/** The list schema, which refuses an entry that is there already, by its value. */
export function eachOnce<T extends z.ZodArray>(list: T): T {
  return list.check(context => {
    const seen = new Set<string>()
    for (const entry of context.value as readonly unknown[]) {
      const text = JSON.stringify(entry)
      if (seen.has(text)) {
        const input = context.value
        context.issues.push({ code: 'custom', input, message: `it names ${text} twice, where each stands once` })
        return
      }
      seen.add(text)
    }
  })
}
