/** A name from a file, fit for a sentence: one line, no control characters, not too long. */
export function quote(name: string): string {
  const plain = [...name].map(character => (/[\p{C}\p{Z}]/u.test(character) && character !== ' ' ? '�' : character))
  return plain.length > 60 ? `${plain.slice(0, 60).join('')}…` : plain.join('')
}

/** The same in quotation marks, with those within it escaped. */
export const quoted = (name: string): string => JSON.stringify(quote(name))
