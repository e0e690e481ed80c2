/** Small helpers for what the server rendered. */

/** An element with text, classes and attributes; text is text, never markup. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  { text, ...attributes }: { readonly text?: string; readonly [attribute: string]: string | undefined } = {},
  ...children: readonly Node[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(key, value)
  if (text !== undefined) made.textContent = text
  made.append(...children)
  return made
}

/** Says something to those who hear the page as well as to those who see it. */
export function announce(text: string): void {
  let place = document.getElementById('announcement')
  if (!place) {
    place = element('div', { id: 'announcement', role: 'status' })
    document.body.append(place)
  }
  place.textContent = text
  place.classList.add('shown')
  setTimeout(() => place.classList.remove('shown'), 2500)
}

/** Whether keys are being typed into something. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
}
