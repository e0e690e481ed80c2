import { describe, expect, test } from 'vitest'
import { UserError } from '../../../core/errors.ts'
import { parseStateDict } from './torch.ts'

const latin = (text: string) => Uint8Array.from(text, character => character.charCodeAt(0))
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer)
const count = (value: number) => new Uint8Array(BigInt64Array.of(BigInt(value)).buffer)

/** The first three pickles of a file, as PyTorch writes them in protocol 2. */
const head =
  '\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.' +
  '\x80\x02M\xe9\x03.' +
  '\x80\x02}(X\x10\x00\x00\x00protocol_versionM\xe9\x03X\x0d\x00\x00\x00little_endian\x88X\x0a\x00\x00\x00type_sizes}u.'

/** A tensor of `size` float32 in the storage `key`. */
const tensor = (name: string, key: string, size: string, view = 'N') =>
  `X\x01\x00\x00\x00${name}ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n` +
  `X\x01\x00\x00\x00${key}X\x03\x00\x00\x00cpu${size}${view}tQK\x00${size}\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtRs`

const dict = (...tensors: string[]) => `\x80\x02}${tensors.join('')}.`
const keys = (...names: string[]) => `\x80\x02](${names.map(name => `X\x01\x00\x00\x00${name}`).join('')}e.`
const join = (...parts: (string | Uint8Array)[]) =>
  new Uint8Array(Buffer.concat(parts.map(part => (typeof part === 'string' ? latin(part) : part))))

describe('a file of torch.save before PyTorch 1.6', () => {
  const two = dict(tensor('w', '0', 'K\x02'), tensor('v', '1', 'K\x01'))
  test('gives its tensors, whose numbers follow in the order of the list', () => {
    const file = join(head, two, keys('1', '0'), count(1), floats(7), count(2), floats(1.5, -2))
    const tensors = parseStateDict(file, 'x')
    expect([...tensors.get('w')!.data]).toEqual([1.5, -2])
    expect([...tensors.get('v')!.data]).toEqual([7])
  })
  test.each([
    ['cut short', join(head, two, keys('1', '0'), count(1), floats(7), count(2), floats(1.5))],
    ['cut short', join(head, two, keys('1', '0'), count(1), floats(7), count(2 ** 50))],
    ['cut short', join(head, two, keys('1', '0'), count(-1), floats(7))],
    ['cut short', join(head, two, keys('1', '0'))],
    ['does not fit its tensors', join(head, two, keys('9'), count(1), floats(7))],
    ['does not fit its tensors', join(head, two, keys('1', '1'), count(1), floats(7), count(1), floats(7))],
    ['lacks the numbers of w', join(head, two, keys('1'), count(1), floats(7))],
    ['big-endian', join(head.replace('little_endian\x88', 'little_endian\x89'), two, keys('1'), count(1), floats(7))],
    ['has version 1000', join(head.replace('.\x80\x02M\xe9\x03.', '.\x80\x02M\xe8\x03.'), two, keys('1'))],
    ['a view of another storage', join(head, dict(tensor('w', '0', 'K\x02', '(K\x00K\x02t')), keys('0'))],
    ['names posix.system', join(head, '\x80\x02cposix\nsystem\n(X\x04\x00\x00\x00echotR.', keys('0'))],
    ['ends too early', join(head)],
  ])('is refused where it is %s', (why, file) => {
    expect(() => parseStateDict(file, 'x.pt')).toThrow(why)
    expect(() => parseStateDict(file, 'x.pt')).toThrow(UserError)
  })
})

describe('names in a state dict', () => {
  const named = (...names: string[]) => {
    const entries = names.map(name =>
      tensor('w', '0', 'K\x01').replace('\x01\x00\x00\x00w', `${String.fromCharCode(name.length)}\x00\x00\x00${name}`),
    )
    return [
      ...parseStateDict(join(head, dict(...entries), keys('0'), count(1), floats(3), new Uint8Array(4)), 'x').keys(),
    ]
  }
  test('lose what torch.compile and data parallel training put before all of them', () => {
    expect(named('_orig_mod.a', '_orig_mod.b')).toEqual(['a', 'b'])
    expect(named('module._orig_mod.a', 'module._orig_mod.b')).toEqual(['a', 'b'])
  })
  test('stay where one of them is without it', () => expect(named('module.a', 'b')).toEqual(['module.a', 'b']))
})
