import { expect, test } from 'vitest'
import { oneHotModel, oneHotSae } from './one-hot.fixture.ts'
import { mustHaveSite } from './site.ts'

test('an SAE of no site, of another one and of another width is refused before anything is computed', () => {
  const [model, sae] = [oneHotModel(), oneHotSae()]
  const { metadata, width } = sae
  const at = (hook_name: string) => () => mustHaveSite(model, { width, metadata: { ...metadata, hook_name } })
  try {
    expect(() => mustHaveSite(model, sae)).not.toThrow()
    expect(at('')).toThrow('The SAE does not say which site of the model it reads.')
    expect(at('blocks.99.hook_resid_post')).toThrow(
      'The SAE reads blocks.99.hook_resid_post, but the model has no such',
    )
    expect(() => mustHaveSite(model, { metadata, width: width + 1 })).toThrow(
      `The SAE is ${width + 1} wide, but the model's ${metadata.hook_name} is ${width} wide.`,
    )
  } finally {
    model.dispose()
    sae.dispose()
  }
})
