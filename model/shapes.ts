/** The weights an architecture needs: their names and shapes. */
import type {
  Architecture,
  HeadNorm,
  LinearNames,
  MixtureNames,
  MlpNames,
  NeuronNames,
  NormNames,
} from './architecture.ts'

/** Every weight by its Hugging Face name with its shape. */
export function expectedShapes(architecture: Architecture): Map<string, number[]> {
  const { width, heads, kvHeads, headDim, mlpWidth, vocabulary, context } = architecture.config
  const shapes = new Shapes()
  shapes.add(architecture.embedding, vocabulary, width)
  shapes.norm(architecture.embeddingNorm, width)
  if (architecture.positions) shapes.add(architecture.positions, context + architecture.positionOffset, width)
  for (const block of architecture.blocks) {
    shapes.norm(block.ln1, width)
    shapes.norm(block.ln1Post, width)
    shapes.norm(block.ln2, width)
    shapes.norm(block.ln2Post, width)
    shapes.headNorm(block.qNorm, heads, headDim)
    shapes.headNorm(block.kNorm, kvHeads, headDim)
    const { projection } = block
    if (projection.form === 'separate') {
      shapes.linear(projection.q, width, heads * headDim)
      shapes.linear(projection.k, width, kvHeads * headDim)
      shapes.linear(projection.v, width, kvHeads * headDim)
    } else shapes.linear(projection.qkv, width, (heads + 2 * kvHeads) * headDim)
    if (block.sinks) shapes.add(block.sinks, heads)
    shapes.linear(block.output, heads * headDim, width)
    shapes.mlp(block.mlp, width, mlpWidth)
  }
  shapes.norm(architecture.finalNorm, width)
  shapes.add(architecture.unembedding, vocabulary, width)
  if (architecture.unembeddingBias) shapes.add(architecture.unembeddingBias, vocabulary)
  return shapes.found
}

/** Shapes as they come together; layers that share weights name them once. */
class Shapes {
  readonly found = new Map<string, number[]>()

  add(name: string, ...shape: number[]): void {
    this.found.set(name, shape)
  }

  linear({ weight, bias, layout }: LinearNames, inputs: number, outputs: number): void {
    this.add(weight, ...(layout === 'in-out' ? [inputs, outputs] : [outputs, inputs]))
    if (bias) this.add(bias, outputs)
  }

  norm(names: NormNames | null, ...shape: number[]): void {
    if (names?.gain) this.add(names.gain, ...shape)
    if (names?.bias) this.add(names.bias, ...shape)
  }

  headNorm(names: HeadNorm | null, heads: number, headDim: number): void {
    if (names?.form === 'listed') for (const gain of names.gains) this.add(gain, headDim)
    if (names?.form === 'shared') this.norm(names.names, headDim)
    if (names?.form === 'by head') this.norm(names.names, heads, headDim)
    if (names?.form === 'together') this.norm(names.names, heads * headDim)
  }

  neurons({ gate, in: inner, out }: NeuronNames, width: number, neurons: number): void {
    if (gate) this.linear(gate, width, neurons)
    this.linear(inner, width, neurons)
    this.linear(out, neurons, width)
  }

  mlp(names: MlpNames, width: number, mlpWidth: number): void {
    if (names.form === 'neurons') this.neurons(names, width, mlpWidth)
    if (names.form === 'experts') this.mixture(names, width)
    if (names.form !== 'fused') return
    this.linear(names.gateUp, width, 2 * mlpWidth)
    this.linear(names.out, mlpWidth, width)
  }

  mixture({ router, experts, expertWidth, shared, count }: MixtureNames, width: number): void {
    this.linear(router, width, count)
    if (experts.form === 'listed') for (const expert of experts.experts) this.neurons(expert, width, expertWidth)
    if (experts.form === 'together') {
      this.add(experts.gateUp, count, 2 * expertWidth, width)
      this.add(experts.down, count, width, expertWidth)
    }
    if (experts.form === 'stacked') {
      this.add(experts.gateUp, count, width, 2 * expertWidth)
      this.add(experts.gateUpBias, count, 2 * expertWidth)
      this.add(experts.down, count, expertWidth, width)
      this.add(experts.downBias, count, width)
    }
    if (!shared) return
    this.neurons(shared.neurons, width, shared.width)
    this.linear(shared.gate, width, 1)
  }
}
