/** The main ops once more, in float64 and loop by loop, from the calls as the ops get them. */
import type { Call } from './emulate.ts'

/** Erf to about 1e-12: its series below 3, where that does not cancel, and the continued fraction of erfc above. */
function erf(x: number): number {
  const z = Math.abs(x)
  if (z > 3) {
    let rest = 0
    for (let n = 60; n > 0; n--) rest = n / 2 / (z + rest)
    return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + rest))
  }
  let sum = z
  let term = z
  for (let n = 1; n < 200; n++) {
    term *= (-z * z) / n
    sum += term / (2 * n + 1)
  }
  return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI)
}

const gelus: Readonly<Record<number, (x: number) => number>> = {
  0: x => x,
  1: x => (x * (1 + erf(x / Math.SQRT2))) / 2,
  2: x => (x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))) / 2,
}

/** What an op's first output should be, where it is one of these. */
export const references: Readonly<Record<string, (call: Call) => Float64Array>> = {
  PipelineLinearFloat({ inputs, attributes }) {
    const [x, weight, bias, residual] = inputs as [Data, Data, Data, Data]
    const depth = x.shape.at(-1)!
    const columns = weight.shape[attributes.transposed ? 0 : 1]!
    return table(x.data.length / depth, columns, (row, column) => {
      let sum = 0
      for (let d = 0; d < depth; d++)
        sum +=
          x.data[row * depth + d]! * weight.data[attributes.transposed ? column * depth + d : d * columns + column]!
      const value = gelus[Number(attributes.after)]!(sum + (bias.data[column] ?? 0))
      return value + (residual.data[row * columns + column] ?? 0)
    })
  },

  PipelineNorm({ inputs, attributes }) {
    const [x, gain, bias] = inputs as [Data, Data, Data]
    const width = x.shape.at(-1)!
    const rows = x.data.length / width
    const moments = Array.from({ length: rows }, (_, row) => {
      const values = Array.from(x.data.subarray(row * width, (row + 1) * width))
      const mean = attributes.centre ? values.reduce((a, b) => a + b, 0) / width : 0
      const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width
      return { mean, scale: Math.sqrt(square + Number(attributes.epsilon)) }
    })
    return table(rows, width, (row, i) => {
      const { mean, scale } = moments[row]!
      return ((x.data[row * width + i]! - mean) / scale) * (gain.data[i] ?? 1) + (bias.data[i] ?? 0)
    })
  },

  PipelineAttention({ inputs, attributes }) {
    const [q, k, v] = inputs as [Data, Data, Data]
    const [batch, positions, stride] = q.shape as [number, number, number]
    const number = (key: string) => Number(attributes[key])
    const [heads, group, size] = [number('heads'), number('heads') / number('kv_heads'), number('head_dim')]
    const at = (rows: Data, which: string, b: number, position: number, head: number, d: number) =>
      rows.data[(b * positions + position) * stride + number(`${which}_offset`) + head * size + d]!
    const z = new Float64Array(batch * positions * heads * size)
    for (let b = 0; b < batch; b++)
      for (let head = 0; head < heads; head++)
        for (let i = 0; i < positions; i++) {
          const kv = Math.floor(head / group)
          const window = number('window')
          const first = window > 0 ? Math.max(0, i - window + 1) : 0
          const weights: number[] = []
          for (let j = first; j <= i; j++) {
            let score = 0
            for (let d = 0; d < size; d++) score += at(q, 'q', b, i, head, d) * at(k, 'k', b, j, kv, d)
            score *= number('scale')
            const cap = number('cap')
            weights.push(Math.exp(cap > 0 ? cap * Math.tanh(score / cap) : score))
          }
          const total = weights.reduce((a, c) => a + c, 0)
          for (let d = 0; d < size; d++) {
            let sum = 0
            for (const [j, weight] of weights.entries()) sum += (weight / total) * at(v, 'v', b, first + j, kv, d)
            z[((b * positions + i) * heads + head) * size + d] = sum
          }
        }
    return z
  },

  PipelineTopKEncode({ inputs, attributes }) {
    const [x, weight, bias] = inputs as [Data, Data, Data]
    const [rows, depth] = x.shape as [number, number]
    const latents = weight.shape[attributes.transposed ? 0 : 1]!
    const k = Number(attributes.k)
    const values = new Float64Array(rows * k)
    for (let row = 0; row < rows; row++) {
      const all = Array.from({ length: latents }, (_, i) => {
        let sum = bias.data[i] ?? 0
        for (let d = 0; d < depth; d++)
          sum += x.data[row * depth + d]! * weight.data[attributes.transposed ? i * depth + d : d * latents + i]!
        return Math.max(0, sum)
      })
      const best = [...all.keys()].sort((a, b) => all[b]! - all[a]! || a - b).slice(0, k)
      for (const [n, i] of best.sort((a, b) => a - b).entries()) values[row * k + n] = all[i]!
    }
    return values
  },

  PipelineSparseDecode({ inputs }) {
    const [values, indices, weight, bias] = inputs as [Data, Data, Data, Data]
    const [rows, k] = values.shape as [number, number]
    const width = weight.shape[1]!
    return table(rows, width, (row, column) => {
      let sum = bias.data[column] ?? 0
      for (let j = row * k; j < (row + 1) * k; j++)
        sum += values.data[j]! * weight.data[indices.data[j]! * width + column]!
      return sum
    })
  },
}

type Data = Call['inputs'][number]

function table(rows: number, columns: number, value: (row: number, column: number) => number): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, i) => value(Math.floor(i / columns), i % columns))
}
