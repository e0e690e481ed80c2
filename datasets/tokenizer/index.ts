/**
 * Tokenizers of Hugging Face model directories: `tokenizer.json`, with `tokenizer_config.json` where there is one. Ids are
 * those of the tokenizers library, which reads the file itself, so that no kind of tokenizer is rebuilt here.
 */
import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { readJson } from '../../core/files.ts'
import { hashValue } from '../../core/hash.ts'
import type { Reply, Request } from './messages.ts'
import { LibraryCrash, TokenizerProcess } from './process.ts'
import { ofByteLevel, ofSentencePiece } from './token-text.ts'

/** Text to token ids and back. */
export interface Tokenizer {
  /** One more than the largest token id. */
  readonly vocabulary: number
  /** sha256 of both files' content. */
  readonly hash: string
  readonly bosToken: number | null
  readonly eosToken: number | null
  readonly padToken: number | null
  /** How many calls of `encodeAll` may wait for each other, so that the library has the next batch at hand; default 1. */
  readonly atOnce?: number
  /**
   * The ids of each text as it is: no BOS or other special token is added; those written out in the text become their ids.
   * Throws a `TextRefused` where the library cannot encode a text, and an `InterruptedError` once the signal is aborted.
   */
  encodeAll(texts: readonly string[], signal?: AbortSignal): Promise<Int32Array[]>
  /** The ids of one text. */
  encode(text: string, signal?: AbortSignal): Promise<Int32Array>
  /** The text of token ids, special tokens written out. Throws a `UserError` for an id that is no token. */
  decode(ids: ArrayLike<number>): Promise<string>
  /** One token as it is shown: its text, with its space, or `<0xE2>` for a byte that is no text alone. */
  token(id: number): string
}

/** A text that the library cannot encode. */
export class TextRefused extends UserError {
  /** Its place among the texts that were given. */
  readonly text: number

  constructor(text: number, why: string) {
    super(`The tokenizers library cannot encode the text: ${why}.`)
    this.text = text
  }
}

const TokenizerJson = z.looseObject({
  model: z.looseObject({
    type: z.enum(['BPE', 'WordPiece', 'Unigram', 'WordLevel']).optional(),
    vocab: z.union([z.record(z.string(), z.int().min(0)), z.array(z.any())]),
    dropout: z.number().nullish(),
  }),
  added_tokens: z.array(z.looseObject({ content: z.string() })).nullish(),
  decoder: z.looseObject({ type: z.string() }).nullish(),
})
const Special = z
  .union([z.string(), z.looseObject({ content: z.string() })])
  .nullish()
  .transform(value => (typeof value === 'string' ? value : (value?.content ?? null)))
const TokenizerConfig = z.looseObject({
  bos_token: Special,
  eos_token: Special,
  pad_token: Special,
  added_tokens_decoder: z.record(z.string(), z.looseObject({ content: z.string() })).nullish(),
})

export interface TokenizerOptions {
  /** Threads that encode a batch; 0: one, and nothing else is done meanwhile; default: as many as the machine has. */
  readonly threads?: number | undefined
}

/** Loads the tokenizer of a model directory; a `UserError` says which file is missing or what is wrong with it. */
export async function loadTokenizer(modelDirectory: string, { threads }: TokenizerOptions = {}): Promise<Tokenizer> {
  const path = join(modelDirectory, 'tokenizer.json')
  const configPath = join(modelDirectory, 'tokenizer_config.json')
  const json = await readJson(path, 'tokenizer').catch(error => {
    throw notConverted(modelDirectory) ?? error
  })
  const hasConfig = await stat(configPath).then(
    () => true,
    () => false,
  )
  const config = hasConfig ? await readJson(configPath, 'tokenizer config') : {}
  const parsed = TokenizerJson.safeParse(json)
  const settings = TokenizerConfig.safeParse(config)
  if (!parsed.success) throw unreadable(path, said(parsed.error))
  if (!settings.success) throw unreadable(configPath, said(settings.error))
  if (parsed.data.model.dropout)
    throw new UserError(
      `${path} has model.dropout ${parsed.data.model.dropout}: it gives other tokens each time that it reads a text.`,
      { fix: 'Set model.dropout to null.' },
    )
  // Cutting and filling up are no part of what a text's tokens are.
  const whole = { ...(json as object), truncation: null, padding: null }
  const library = TokenizerProcess.of(JSON.stringify(whole), threads)
  const loaded = await ask(library, { kind: 'load', json: JSON.stringify(whole) }).catch(error => {
    throw error instanceof LibraryCrash ? unreadable(path, error.message) : error
  })
  if (loaded.kind === 'unavailable')
    throw new UserError(
      `The tokenizers library does not load on this machine (${process.platform} ${process.arch}): ${loaded.why.replace(/\.$/, '')}.`,
      { fix: 'Install the package again; the library comes built for Linux, macOS and Windows on x64 and ARM.' },
    )
  if (loaded.kind !== 'loaded') throw unreadable(path, loaded.kind === 'refused' ? loaded.why : loaded.kind)
  const vocabulary = new Map(Object.entries(loaded.vocabulary))
  checkAdded(settings.data, vocabulary, path, configPath)
  return wrap(library, vocabulary, {
    hash: hashValue({ json, config }),
    special: settings.data,
    added: new Set((parsed.data.added_tokens ?? []).map(({ content }) => content)),
    byteLevel: parsed.data.decoder?.type === 'ByteLevel',
    path,
    atOnce: threads === 0 ? 1 : 2,
  })
}

/** What older models have in the place of tokenizer.json (OPT, GPT-J, Llama 1). */
const olderFiles = ['vocab.json', 'vocab.txt', 'tokenizer.model', 'spiece.model']

/** What to say where a model has a tokenizer in an older form alone. */
function notConverted(directory: string): UserError | undefined {
  const older = olderFiles.find(name => existsSync(join(directory, name)))
  if (older === undefined || existsSync(join(directory, 'tokenizer.json'))) return undefined
  return new UserError(`There is no tokenizer.json in ${directory}, only ${older}, which is of an older form.`, {
    fix: 'Let transformers make one in Python: AutoTokenizer.from_pretrained(DIRECTORY).save_pretrained(DIRECTORY).',
  })
}

interface Facts {
  readonly hash: string
  readonly special: z.output<typeof TokenizerConfig>
  readonly added: ReadonlySet<string>
  readonly byteLevel: boolean
  readonly path: string
  readonly atOnce: number
}

function wrap(library: TokenizerProcess, ids: ReadonlyMap<string, number>, facts: Facts): Tokenizer {
  const { hash, special, added, byteLevel, path, atOnce } = facts
  const tokens: string[] = []
  for (const [token, id] of ids) tokens[id] = token
  const idOf = (token: string | null) => (token === null ? null : (ids.get(token) ?? null))
  const encodeAll = async (texts: readonly string[], signal?: AbortSignal): Promise<Int32Array[]> => {
    if (texts.length === 0) return []
    let reply: Reply
    try {
      reply = await ask(library, { kind: 'encode', texts }, signal)
    } catch (error) {
      if (!(error instanceof LibraryCrash)) throw error
      if (texts.length === 1) throw new TextRefused(0, error.message)
      return oneByOne(texts, signal)
    }
    if (reply.kind === 'refused') throw new TextRefused(reply.text ?? 0, reply.why)
    if (reply.kind !== 'encoded') throw new Error(`the tokenizer answered ${reply.kind}`)
    const { ids, counts } = reply
    let at = 0
    return counts.map(count => {
      at += count
      return ids.slice(at - count, at)
    })
  }
  const oneByOne = async (texts: readonly string[], signal?: AbortSignal) => {
    const all: Int32Array[] = []
    for (const [place, text] of texts.entries()) {
      try {
        all.push((await encodeAll([text], signal))[0]!)
      } catch (error) {
        throw error instanceof TextRefused ? new TextRefused(place, error.message) : error
      }
    }
    return all
  }
  return {
    vocabulary: tokens.length,
    hash,
    bosToken: idOf(special.bos_token),
    eosToken: idOf(special.eos_token),
    padToken: idOf(special.pad_token),
    atOnce,
    encodeAll,
    encode: async (text, signal) => (await encodeAll([text], signal))[0]!,
    async decode(ids) {
      const list = Array.from(ids)
      const unknown = list.find(id => tokens[id] === undefined)
      if (unknown !== undefined) throw new UserError(`Token ${unknown} is not in the tokenizer ${path}.`)
      const reply = await ask(library, { kind: 'decode', ids: list })
      if (reply.kind !== 'decoded') throw new Error(`the tokenizer answered ${JSON.stringify(reply)}`)
      return reply.text
    },
    token(id) {
      const token = tokens[id]
      if (token === undefined) return `<${id}>`
      if (added.has(token)) return token
      return byteLevel ? ofByteLevel(token) : ofSentencePiece(token)
    },
  }
}

function ask(library: TokenizerProcess, request: Request, signal?: AbortSignal): Promise<Reply> {
  return library.ask(request, signal)
}

/** Refuses added tokens of the config that the tokenizer itself does not have: transformers would add them. */
function checkAdded(
  { added_tokens_decoder: added }: z.output<typeof TokenizerConfig>,
  vocabulary: ReadonlyMap<string, number>,
  path: string,
  configPath: string,
): void {
  for (const [id, { content }] of Object.entries(added ?? {})) {
    const known = vocabulary.get(content)
    if (known === Number(id)) continue
    throw new UserError(
      `${configPath} says in added_tokens_decoder that ${JSON.stringify(content)} is token ${id}, but in ${path} ${known === undefined ? 'there is no such token' : `it is token ${known}`}.`,
      { fix: 'Save the tokenizer again with transformers, so that both files say the same.' },
    )
  }
}

function said(error: z.ZodError): string {
  const { path, message } = error.issues[0]!
  return path.length > 0 ? `${path.join('.')}: ${message}` : message
}

function unreadable(path: string, why: string): UserError {
  return new UserError(`${path} is not a tokenizer that can be read: ${why.replace(/\.$/, '')}.`, {
    fix: 'Fetch tokenizer.json and tokenizer_config.json again from where the model is.',
  })
}
