/** A stage that stands in for capture where only the sharing of its work matters: squares the numbers of a file, a part each. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { writeAtomic } from '../../core/files.ts'
import { hashed } from '../stages/found.ts'
import { defineStage } from '../stages/stage.ts'

const nameOf = (unit: number) => `shard-${String(unit).padStart(5, '0')}`

export default defineStage({
  stage: 'capture',
  about: 'Squares the numbers of a file.',
  config: z.object({ dataset: z.string() }),
  figures: [],
  divisible: true,
  inputs: { dataset: z.string() },
  async prepare(config) {
    const path = String(config.dataset)
    const { input } = await hashed('dataset', path)
    const numbers = () => readFileSync(path, 'utf8').trim().split('\n').map(Number)
    const square = (unit: number, directory: string) =>
      writeAtomic(join(directory, nameOf(unit)), String(numbers()[unit]! ** 2))
    return {
      config: { dataset: path },
      inputs: [input],
      async work({ directory }) {
        const missing = numbers().flatMap((_, unit) => (existsSync(join(directory, nameOf(unit))) ? [] : [unit]))
        for (const unit of missing) await square(unit, directory)
        const squares = numbers().map((_, unit) => Number(readFileSync(join(directory, nameOf(unit)), 'utf8')))
        return { units: squares.length, sum: squares.reduce((a, b) => a + b, 0) }
      },
      async divide() {
        const wrong = numbers().findIndex(Number.isNaN)
        if (wrong >= 0) throw new UserError(`Line ${wrong + 1} of ${path} is no number.`)
        return {
          names: numbers().map((_, unit) => nameOf(unit)),
          work: square,
          close() {},
        }
      },
    }
  },
})
