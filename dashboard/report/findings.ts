/** What studies found of a feature, a sentence each, and what would change its tier. HTML. */
import { words } from '../../core/text.ts'
import type { FeatureEvidence } from '../../validation/evidence.ts'
import { shown } from '../html.ts'
import { changeText } from './change-text.ts'
import { studySentence } from './study-sentences.ts'

/** A list of what studies found; those that could say nothing are named. */
export function findingsHtml({ studies }: FeatureEvidence): string {
  const asked = Object.keys(studies) as (keyof typeof studies)[]
  const known = asked.flatMap(name => studySentence(name, studies) ?? [])
  const silent = asked.filter(name => studies[name] === null)
  const rest = silent.length > 0 ? [`Nothing to say: ${silent.map(words).join(', ')}.`] : []
  const items = [...known, ...rest].map(text => `<li>${shown(text, 600)}</li>`)
  return items.length === 0 ? '' : `<h4>Further questions</h4><ul>${items.join('')}</ul>`
}

/** What would make another tier of it. */
export function changesHtml({ tier }: FeatureEvidence): string {
  if (tier.wouldChange.length === 0) return ''
  const items = tier.wouldChange
    .slice(0, 8)
    .map(change => `<li>${changeText(change)} <code class="soft">${shown(change.path)}</code></li>`)
  return `<h4>What would change it</h4><ul>${items.join('')}</ul>`
}
