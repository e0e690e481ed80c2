/** Tokenizers of Hugging Face model directories: `tokenizer.json`, with `tokenizer_config.json` where there is one. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers'
import { z } from 'zod'
import { messageOf, UserError } from '../core/errors.ts'
import { readJson } from '../core/files.ts'
import { hashValue } from '../core/hash.ts'

/** Text to token ids and back. */
export interface Tokenizer {
  /** One more than the largest token id. */
  readonly vocabulary: number
  /** sha256 of both files' content. */
  readonly hash: string
  readonly bosToken: number | null
  readonly eosToken: number | null
  /** The text as it is: no BOS or other special token is added; those written out in the text become their ids. */
  encode(text: string): Int32Array
  /** The text of token ids, special tokens written out. Throws a `UserError` for an id that is no token. */
  decode(ids: ArrayLike<number>): string
  /** One token as it is shown: its text, with its space, or `<0xE2>` for a byte that is no text alone. */
  token(id: number): string
}

const TokenizerJson = z.looseObject({
  model: z.looseObject({
    type: z.enum(['BPE', 'WordPiece', 'Unigram', 'WordLevel']).optional(),
    vocab: z.union([z.record(z.string(), z.int()), z.array(z.any())]),
  }),
  decoder: z.looseObject({ type: z.string() }).nullish(),
})
const Special = z
  .union([z.string(), z.looseObject({ content: z.string() })])
  .nullish()
  .transform(value => (typeof value === 'string' ? value : (value?.content ?? null)))
const TokenizerConfig = z.looseObject({ bos_token: Special, eos_token: Special })

/** Loads the tokenizer of a model directory; a `UserError` says which file is missing or what is wrong with it. */
export async function loadTokenizer(modelDirectory: string): Promise<Tokenizer> {
  const path = join(modelDirectory, 'tokenizer.json')
  const configPath = join(modelDirectory, 'tokenizer_config.json')
  const json = await readJson(path, 'tokenizer')
  const hasConfig = await stat(configPath).then(
    () => true,
    () => false,
  )
  const config = hasConfig ? await readJson(configPath, 'tokenizer config') : {}
  const parsed = TokenizerJson.safeParse(json)
  const settings = TokenizerConfig.safeParse(config)
  if (!parsed.success) throw unreadable(path, parsed.error.issues[0]!.message)
  if (!settings.success) throw unreadable(configPath, settings.error.issues[0]!.message)
  let inner: HuggingFaceTokenizer
  try {
    inner = new HuggingFaceTokenizer(json as object, config as object)
  } catch (error) {
    throw unreadable(path, messageOf(error))
  }
  return wrap(inner, hashValue({ json, config }), settings.data, parsed.data.decoder?.type === 'ByteLevel', path)
}

function wrap(
  inner: HuggingFaceTokenizer,
  hash: string,
  special: z.output<typeof TokenizerConfig>,
  byteLevel: boolean,
  path: string,
): Tokenizer {
  let vocabulary = 0
  for (const id of inner.get_vocab(true).values()) vocabulary = Math.max(vocabulary, id + 1)
  const added = inner.get_added_tokens_decoder()
  const idOf = (token: string | null) => (token === null ? null : (inner.token_to_id(token) ?? null))
  return {
    vocabulary,
    hash,
    bosToken: idOf(special.bos_token),
    eosToken: idOf(special.eos_token),
    encode(text) {
      if (text === '') return new Int32Array(0)
      return Int32Array.from(inner.encode(text, { add_special_tokens: false }).ids)
    },
    decode(ids) {
      if (ids.length === 0) return ''
      const list = Array.from(ids)
      const unknown = list.find(id => inner.id_to_token(id) === undefined)
      if (unknown !== undefined) throw new UserError(`Token ${unknown} is not in the tokenizer ${path}.`)
      return inner.decode(list, { skip_special_tokens: false, clean_up_tokenization_spaces: false })
    },
    token(id) {
      const token = inner.id_to_token(id)
      if (token === undefined) return `<${id}>`
      if (added.has(id)) return token
      return byteLevel ? ofByteLevel(token) : ofSentencePiece(token)
    },
  }
}

function unreadable(path: string, why: string): UserError {
  return new UserError(`${path} is not a tokenizer that can be read: ${why}.`, {
    fix: 'Fetch tokenizer.json and tokenizer_config.json again from where the model is.',
  })
}

/** GPT-2's characters for bytes: printable ones stand for themselves, the others for 256 and up, in order. */
const byteOf = new Map<string, number>()
for (let byte = 0, next = 256; byte < 256; byte++) {
  const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173)
  byteOf.set(String.fromCharCode(printable ? byte : next++), byte)
}

function ofByteLevel(token: string): string {
  const bytes = Array.from(token, character => byteOf.get(character))
  if (bytes.includes(undefined)) return token
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes as number[]))
  } catch {
    return (bytes as number[]).map(hex).join('')
  }
}

function ofSentencePiece(token: string): string {
  const byte = /^<0x([0-9A-F]{2})>$/i.exec(token)
  if (byte && Number.parseInt(byte[1]!, 16) < 128) return String.fromCharCode(Number.parseInt(byte[1]!, 16))
  return token.replaceAll('▁', ' ')
}

function hex(byte: number): string {
  return byte >= 32 && byte < 127
    ? String.fromCharCode(byte)
    : `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`
}
