/** Drives the forward pass: checks what is asked, visits hooks at their sites, and stops where it is told to. */
import { UserError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import { residualOf } from '../core/sites.ts'
import { type Tensor, type Tensor2D, tf } from '../engine/tf.ts'
import type { Architecture, BlockArchitecture } from './architecture.ts'
import { block, embed, unembed } from './forward.ts'
import { type RotaryTable, rotaryTable } from './layers/rotary.ts'
import type { Prefix, RunOptions, Site } from './model.ts'
import type { Pass, Piece } from './pass.ts'

/** What `run` needs of a model. */
export interface Runnable {
  readonly architecture: Architecture
  readonly weights: Readonly<Record<string, Tensor>>
  readonly sites: readonly Site[]
  /** Place of each site in the order of the pass. */
  readonly order: ReadonlyMap<string, number>
}

/** The forward pass of `Model.run`. Leaves one tensor: the result. */
export function run(model: Runnable, tokens: Tensor2D, options: RunOptions = {}): Tensor {
  const { architecture } = model
  const { hooks = {}, from, until, prefix, readAt } = options
  checkSites(model, options)
  if (prefix) checkPrefix(architecture, options, prefix)
  if (readAt) checkReadAt(tokens.shape, readAt)
  checkTokens(architecture, tokens, prefix?.positions ?? 0)
  const start = from ? startOf(architecture, tokens, from) : undefined
  if (readAt && start && start.layer >= architecture.blocks.length)
    throw new Error(`A pass that starts at ${from!.site} has no attention left to read positions behind.`)
  return tf.tidy(() => {
    const pass = passOf(model, tokens.shape[1], options, site => site === until || Object.hasOwn(hooks, site))
    let reached = false
    const visit = (site: string, value: Tensor): Tensor => {
      const replaced = Object.hasOwn(hooks, site) ? checkedHook(hooks[site]!, value, site) : value
      reached ||= site === until
      return replaced
    }
    const drive = (piece: Piece): Tensor => {
      let step = piece.next()
      while (!step.done) {
        const value = visit(step.value.site, step.value.value)
        if (reached) return value
        step = piece.next(value)
      }
      return step.value
    }
    // A tidy for each piece: what a block made is freed before the next one starts.
    const stage = (piece: Piece): Tensor => tf.tidy(() => drive(piece))
    let x: Tensor
    if (!start) x = stage(embed(pass, tokens))
    else x = start.after ? visit(from!.site, start.value) : start.value
    for (let layer = start?.layer ?? 0; layer < architecture.config.layers && !reached; layer++)
      x = stage(block(pass, layer, x))
    if (!reached) x = stage(unembed(pass, x))
    // A value from outside (a stored residual, a hook's own tensor) stays the caller's: the result is a tensor apart.
    return x.clone()
  })
}

function passOf(
  model: Runnable,
  positions: number,
  { prefix, readAt }: RunOptions,
  watched: (site: string) => boolean,
): Pass {
  const { architecture, weights } = model
  const before = prefix?.positions ?? 0
  const tables = new Map<BlockArchitecture['rotary'], RotaryTable>()
  for (const { rotary } of architecture.blocks) {
    if (rotary && !tables.has(rotary))
      tables.set(rotary, rotaryTable(rotary, architecture.config.headDim, positions, before))
  }
  return {
    architecture,
    weights,
    watched,
    prefix,
    readAt:
      readAt &&
      tf.tensor1d(
        readAt.flatMap((row, b) => row.map(position => b * positions + position)),
        'int32',
      ),
    rotary: ({ rotary }) => tables.get(rotary)!,
  }
}

function checkedHook(hook: NonNullable<RunOptions['hooks']>[string], value: Tensor, site: string): Tensor {
  const replaced: unknown = hook(value, site)
  if (replaced === undefined) return value
  if (!(replaced instanceof tf.Tensor))
    throw new Error(`The hook at ${site} must return a tensor or undefined, and must not be async.`)
  if (replaced.shape.join() !== value.shape.join() || replaced.dtype !== value.dtype)
    throw new Error(
      `The hook at ${site} returned ${replaced.dtype} [${replaced.shape}] where ${value.dtype} [${value.shape}] belongs.`,
    )
  return replaced
}

/** Refuses sites that do not exist, and hooks that the pass would never come to. */
function checkSites({ sites, order }: Runnable, { hooks = {}, from, until }: RunOptions): void {
  const place = (site: string): number => {
    const index = order.get(site)
    if (index !== undefined) return index
    const names = sites.map(({ name }) => name)
    throw new UserError(`The model has no site ${site}.`, {
      fix: `The nearest are ${nearest(site, names, 3).join(', ')}.`,
    })
  }
  const first = from ? place(from.site) : 0
  const last = until === undefined ? order.size - 1 : place(until)
  if (last < first) throw new UserError(`The site ${until} (until) comes before ${from!.site} (from).`)
  for (const site of Object.keys(hooks)) {
    const index = place(site)
    if (index < first || index > last)
      throw new UserError(
        `The hook at ${site} would never run: the pass ${index < first ? `starts at ${from!.site}` : `stops after ${until}`}.`,
      )
  }
}

/** Refuses a prefix that the pass cannot go on behind, and hooks that it has nothing to show to. */
function checkPrefix({ config, blocks }: Architecture, { hooks = {}, from, until }: RunOptions, prefix: Prefix): void {
  const start = from && residualOf(from.site)
  if (!start) throw new Error('A pass behind a prefix needs a residual to start from.')
  const first = start.layer + (start.side === 'post' ? 1 : 0)
  for (let layer = first; layer < blocks.length; layer++) {
    const expected = [1, prefix.positions, config.kvHeads, config.headDim].join()
    const block = prefix.blocks.get(layer)
    if (block?.keys.shape.join() !== expected || block.values.shape.join() !== expected)
      throw new Error(`The prefix must have keys and values [${expected}] of block ${layer}.`)
  }
  for (const site of [...Object.keys(hooks), until ?? ''])
    if (/attn\.hook_(attn_scores|pattern)$/.test(site)) throw new Error(`A pass behind a prefix has no ${site}.`)
}

/** Refuses positions to read at that the tokens do not have. */
function checkReadAt([batch, positions]: readonly number[], readAt: NonNullable<RunOptions['readAt']>): void {
  const count = readAt[0]?.length ?? 0
  if (readAt.length !== batch || count === 0 || readAt.some(row => row.length !== count))
    throw new Error(`Positions to read at must be as many for each of the ${batch} rows, and one at least.`)
  for (const position of readAt.flat())
    if (!(Number.isInteger(position) && position >= 0 && position < positions!))
      throw new Error(`There is no position ${position} to read at among ${positions}.`)
}

/** Refuses tokens that the model cannot read. */
function checkTokens({ config }: Architecture, tokens: Tensor2D, before: number): void {
  if (tokens.rank !== 2 || tokens.dtype !== 'int32')
    throw new Error(`Tokens must be int32 [batch, position], not ${tokens.dtype} [${tokens.shape}].`)
  const [batch, positions] = tokens.shape
  if (batch === 0 || positions === 0)
    throw new UserError(`There is nothing to run: tokens are [${batch}, ${positions}].`)
  if (before + positions > config.context)
    throw new UserError(
      `A window of ${before + positions} tokens is longer than the model's context of ${config.context}.`,
      {
        fix: `Cut windows of at most ${config.context} tokens.`,
      },
    )
  const ids = tokens.dataSync<'int32'>()
  for (const id of ids)
    if (id < 0 || id >= config.vocabulary)
      throw new UserError(`Token ${id} is outside the model's vocabulary of ${config.vocabulary}.`, {
        fix: 'Use the tokenizer that belongs to the model.',
      })
}

function startOf(
  { config }: Architecture,
  tokens: Tensor2D,
  { site, value }: NonNullable<RunOptions['from']>,
): { layer: number; after: boolean; value: Tensor } {
  const start = residualOf(site)
  if (!start)
    throw new UserError(`A pass cannot start at ${site}.`, {
      fix: 'Start at blocks.L.hook_resid_pre or blocks.L.hook_resid_post.',
    })
  const expected = [...tokens.shape, config.width]
  if (value.shape.join() !== expected.join())
    throw new UserError(`The value to start from at ${site} is [${value.shape}], but the tokens make it [${expected}].`)
  const after = start.side === 'post'
  return { layer: start.layer + (after ? 1 : 0), after, value }
}
