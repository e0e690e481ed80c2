/** Random order of many numbers. */
import { Random } from '../../core/random.ts'
import { hostFunction } from './native.ts'

/** The numbers in the order that `random.shuffle` gives, in place; the stream that goes on from there is given back. */
export function shuffleWords(items: Uint32Array, random: Random): Random {
  const native = hostFunction('shuffleWords')
  if (!native) {
    random.shuffle(items)
    return random
  }
  const [a, b, c, d, spare] = random.save()
  const state = Uint32Array.of(a, b, c, d)
  native(items, state)
  return Random.restore([state[0]!, state[1]!, state[2]!, state[3]!, spare])
}
