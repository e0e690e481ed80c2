/** What is said between this process and the one in which the tokenizers library works. */

export type Request =
  /** The content of a `tokenizer.json`; the first request. */
  | { readonly kind: 'load'; readonly json: string }
  | { readonly kind: 'encode'; readonly texts: readonly string[] }
  | { readonly kind: 'decode'; readonly ids: readonly number[] }

export type Reply =
  /** Token ids by token, added tokens included. */
  | { readonly kind: 'loaded'; readonly vocabulary: Readonly<Record<string, number>> }
  /** Ids of all texts, one after the other, and how many each text has. */
  | { readonly kind: 'encoded'; readonly ids: Int32Array; readonly counts: readonly number[] }
  | { readonly kind: 'decoded'; readonly text: string }
  /** The library cannot be loaded on this machine. */
  | { readonly kind: 'unavailable'; readonly why: string }
  /** The library refused; `text` is the place of the text that it refused. */
  | { readonly kind: 'refused'; readonly why: string; readonly text?: number }
