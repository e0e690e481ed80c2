/**
 * The process in which the tokenizers library works. It is one of its own because the library holds a thread until a text
 * is done and ends its process where it meets what it did not expect.
 */
import type { Tokenizer } from 'tokenizers'
import { messageOf } from '../../core/errors.ts'
import type { Reply, Request } from './messages.ts'

let tokenizer: Tokenizer | undefined

async function answer(request: Request): Promise<Reply> {
  if (request.kind === 'load') {
    let library: typeof import('tokenizers')
    try {
      library = await import('tokenizers')
    } catch (error) {
      return { kind: 'unavailable', why: messageOf(error).split('\n')[0]! }
    }
    tokenizer = library.Tokenizer.fromString(request.json)
    return { kind: 'loaded', vocabulary: tokenizer.getVocab(true) }
  }
  if (!tokenizer) throw new Error('no tokenizer was loaded')
  if (request.kind === 'decode') return { kind: 'decoded', text: await tokenizer.decode([...request.ids], false) }
  return encode(tokenizer, request.texts)
}

async function encode(tokenizer: Tokenizer, texts: readonly string[]): Promise<Reply> {
  const options = { addSpecialTokens: false }
  try {
    const found = await tokenizer.encodeBatch([...texts], options)
    const all = found.map(encoding => encoding.getIds())
    const ids = new Int32Array(all.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const own of all) {
      ids.set(own, at)
      at += own.length
    }
    return { kind: 'encoded', ids, counts: all.map(({ length }) => length) }
  } catch (error) {
    // Which of them was it?
    for (const [text, content] of texts.entries()) {
      try {
        await tokenizer.encode(content, null, options)
      } catch (own) {
        return { kind: 'refused', why: messageOf(own), text }
      }
    }
    throw error
  }
}

process.on('message', async (request: Request) => {
  const reply = await answer(request).catch((error): Reply => ({ kind: 'refused', why: messageOf(error) }))
  process.send!(reply)
})
// Whoever asked decides when to stop; Ctrl-C on a terminal reaches this process as well.
process.on('SIGINT', () => {})
// An exit would wait for the library's thread.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
