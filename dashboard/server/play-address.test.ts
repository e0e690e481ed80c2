import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { type State, searchOf, stateOf } from '../client/play-state.ts'
import { unknownText } from '../client/play-text.ts'
import { questionOf } from '../client/question.ts'

const whole: State = {
  ...{
    sae: 'run42',
    text: 'a & b=c#d',
    second: '',
    order: 'norm',
    frozen: true,
    length: 16,
    temperature: 0.7,
    seed: 3,
  },
  edits: [
    { latent: 5, kind: 'add', strength: -1.5 },
    { latent: 0, kind: 'ablate', strength: 1 },
  ],
  ...{ target: ' the', distractor: '+' },
  claim: { hypothesis: 'h\n"', concept: 'a=b', direction: 'increase', smallest: 0.5 },
}

test('all that the playground shows is in its address, and comes back from it', () => {
  expect(stateOf(searchOf(whole), 'other')).toEqual(whole)
  const plain = stateOf('', 'first')
  expect(plain).toMatchObject({ sae: 'first', second: null, edits: [], frozen: false, length: 0, claim: null })
  expect(stateOf(searchOf(plain), 'other')).toEqual(plain)
})

test('a text of words that the model does not know is said to be one', () => {
  const tokens = (...texts: string[]) => texts.map(text => ({ text }))
  expect(unknownText(tokens('<bos>', 'the', '<unk>', '[UNK]'))).toBe(
    '; 2 of them stand for text that the model has no token for',
  )
  expect(unknownText(tokens('the', 'unk'))).toBe('')
})

test('a page without a text begins with one in the words of the model of its SAE', () => {
  const models = new Map([
    ['own', 'toyworld'],
    ['theirs', 'models/gpt2'],
  ])
  expect(stateOf('', 'own', models).text).toMatch(/practises the flute/)
  expect(stateOf('sae=theirs', 'own', models).text).toBe(stateOf('', 'theirs').text)
  expect(stateOf('text=mine', 'own', models).text).toBe('mine')
})

test('an address that asks for what there is not is read as the usual', () => {
  const wrong =
    'length=1e9&temperature=-4&seed=nan&order=rm&edit=1:explode:2&edit=x:ablate:1&edit=2:set:1e999&claim=1&smallest=-1&direction=up'
  expect(stateOf(wrong, 'first')).toMatchObject({
    ...{ length: 64, temperature: 0, seed: 0, order: 'max' },
    edits: [{ latent: 2, kind: 'set', strength: 100 }],
    claim: { direction: '', smallest: 1e-6 },
  })
})

test('the line that asks again gives the shell the question as it was, whatever the text holds', () => {
  const body = JSON.stringify({ text: `it's $HOME "x" \\ \n; exit` })
  const line = questionOf('http://127.0.0.1:1/api/play/edit', body, 'rows[0].kl')
  const given = line.slice(line.indexOf(" -d '") + 4, line.lastIndexOf(' | jq '))
  expect(execFileSync('sh', ['-c', `printf %s ${given}`], { encoding: 'utf8' })).toBe(body)
  expect(line).toMatch(/\| jq '\.rows\[0\]\.kl'$/)
})
