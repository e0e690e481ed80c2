/** How a single token is shown: its text with its space, or `<0xE2>` for a byte that is no text alone. */

/** GPT-2's characters for bytes: printable ones stand for themselves, the others for 256 and up, in order. */
const byteOf = new Map<string, number>()
for (let byte = 0, next = 256; byte < 256; byte++) {
  const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173)
  byteOf.set(String.fromCharCode(printable ? byte : next++), byte)
}

/** A token of byte-level BPE, whose characters stand for bytes. */
export function ofByteLevel(token: string): string {
  const bytes = Array.from(token, character => byteOf.get(character))
  if (bytes.includes(undefined)) return token
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes as number[]))
  } catch {
    return (bytes as number[]).map(hex).join('')
  }
}

/** A token of SentencePiece, in which `▁` is a space and `<0x41>` a byte. */
export function ofSentencePiece(token: string): string {
  const byte = /^<0x([0-9A-F]{2})>$/i.exec(token)
  if (byte && Number.parseInt(byte[1]!, 16) < 128) return String.fromCharCode(Number.parseInt(byte[1]!, 16))
  return token.replaceAll('▁', ' ')
}

function hex(byte: number): string {
  return byte >= 32 && byte < 127
    ? String.fromCharCode(byte)
    : `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`
}
