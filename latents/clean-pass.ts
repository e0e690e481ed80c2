/**
 * What a document's edits are compared with, and start from: its pass as it is, made once and kept while there is room.
 *
 * A pass that starts at the residual before the site computes later blocks only; one whose keys and values are kept computes
 * later positions only, since nothing changes before the first edited one.
 */
import { blockOf, inBlock, residualOf } from '../core/sites.ts'
import { type Tensor, type Tensor3D, type Tensor4D, tf } from '../engine/tf.ts'
import type { DocumentPass, Hook, Model, Prefix, RunOptions } from '../model/model.ts'

/** A document as it is. Its tensors are the keeper's. */
export interface CleanPass {
  /** Residual [1, position, width] before the site, where it can be reached from one. */
  readonly start: { readonly site: string; readonly value: Tensor3D } | undefined
  /** The document kept for edits in one op each batch, where the model has that at this site; the rest is then not kept. */
  readonly edited: DocumentPass | undefined
  /** Values that logits are made of [1, position, width], where they are a product of them. */
  readonly last: Tensor3D | undefined
  /** Keys and values of the positions before this one, the caller's to dispose; absent where the model does not show them. */
  readonly before: ((position: number) => Prefix) | undefined
  /** Logits [1, position, vocabulary], made when they are first asked for. */
  logits(): Tensor3D
  /** Their softmax, likewise. */
  probabilities(): Tensor3D
}

/** Clean passes by their tokens. */
export interface CleanPasses {
  of(tokens: Int32Array): CleanPass
  dispose(): void
}

/** The value that logits are a product of. */
export const lastSite = 'unembed.hook_in'

/** The residual from which a site can be reached without the blocks before it; undefined: from the tokens. */
export function startBefore(site: string): string | undefined {
  if (residualOf(site)) return site
  const block = blockOf(site)
  return block && inBlock(block.layer, 'hook_resid_pre')
}

/** Keeps clean passes of a model at a site; those used longest ago go where all take more than so many bytes. */
export function cleanPasses(model: Model, site: string, most: number): CleanPasses {
  const kept = new Map<string, MadePass>()
  const keys = new WeakMap<Int32Array, string>()
  const counted = new Map<MadePass, number>()
  let bytes = 0
  let last: MadePass | undefined
  return {
    of(tokens) {
      const key = keys.get(tokens) ?? tokens.join()
      keys.set(tokens, key)
      const pass = kept.get(key) ?? makePass(model, site, tokens)
      kept.delete(key)
      kept.set(key, pass)
      // A pass grows while it is used: only the one used last can have grown since.
      for (const one of last && last !== pass ? [last, pass] : [pass]) {
        bytes += one.bytes() - (counted.get(one) ?? 0)
        counted.set(one, one.bytes())
      }
      last = pass
      for (const [other, old] of kept) {
        if (bytes <= most || other === key) break
        bytes -= counted.get(old)!
        old.dispose()
        counted.delete(old)
        kept.delete(other)
      }
      return pass
    },
    dispose() {
      for (const pass of kept.values()) pass.dispose()
      kept.clear()
      counted.clear()
      bytes = 0
      last = undefined
    },
  }
}

interface MadePass extends CleanPass {
  bytes(): number
  dispose(): void
}

function makePass(model: Model, site: string, tokens: Int32Array): MadePass {
  const known = new Set(model.sites.map(({ name }) => name))
  const before = startBefore(site)
  const kept = new Map<string, Tensor>()
  const run = (options: RunOptions) => model.run(tf.tensor2d(tokens, [1, tokens.length], 'int32'), options)
  const from = () => (before ? { from: { site: before, value: kept.get(before) as Tensor3D } } : {})
  const keeping: Hook = (value, name) => {
    kept.set(name, tf.keep(value.clone()))
    return undefined
  }
  if (before) kept.set(before, tf.keep(tf.tidy(() => run({ until: before }))))
  const edited = before === site ? model.editedFrom(site, kept.get(site) as Tensor3D) : null
  const blocks = before && !edited ? blockSites(known, before, model.config.layers) : undefined
  tf.tidy(() => {
    if (edited) return
    const watched = [...(blocks ?? []).flatMap(({ keys, values }) => [keys, values]), lastSite]
    if (!known.has(lastSite)) return
    run({ ...from(), until: lastSite, hooks: Object.fromEntries(watched.map(name => [name, keeping])) })
  })
  const keep = (name: string, make: () => Tensor) => {
    const found = kept.get(name) ?? tf.keep(tf.tidy(make))
    kept.set(name, found)
    return found as Tensor3D
  }
  const logits = () => keep('logits', () => run(from()))
  return {
    start: before ? { site: before, value: kept.get(before) as Tensor3D } : undefined,
    edited: edited ?? undefined,
    last: kept.get(lastSite) as Tensor3D | undefined,
    before: blocks && (positions => prefixOf(blocks, kept, positions)),
    logits,
    probabilities: () => keep('probabilities', () => logits().softmax(-1)),
    bytes: () => (edited?.bytes() ?? 0) + 4 * [...kept.values()].reduce((sum, { size }) => sum + size, 0),
    dispose() {
      edited?.dispose()
      tf.dispose([...kept.values()])
    },
  }
}

/** Where the keys and values of a block are seen. */
interface BlockSites {
  readonly layer: number
  readonly keys: string
  readonly values: string
}

/** The blocks that a pass from a residual on goes through; undefined where the model does not show their keys and values. */
function blockSites(known: ReadonlySet<string>, start: string, layers: number): BlockSites[] | undefined {
  const { layer, side } = residualOf(start)!
  const found: BlockSites[] = []
  for (let at = layer + (side === 'post' ? 1 : 0); at < layers; at++) {
    const rotated = inBlock(at, 'attn.hook_rot_k')
    const keys = known.has(rotated) ? rotated : inBlock(at, 'attn.hook_k')
    const values = inBlock(at, 'attn.hook_v')
    if (!known.has(keys) || !known.has(values)) return undefined
    found.push({ layer: at, keys, values })
  }
  return found
}

/** The first positions of every block's keys and values. */
function prefixOf(blocks: readonly BlockSites[], kept: ReadonlyMap<string, Tensor>, positions: number): Prefix {
  const head = (name: string) => {
    const whole = kept.get(name) as Tensor4D
    return whole.slice([0, 0, 0, 0], [1, positions, whole.shape[2], whole.shape[3]])
  }
  return {
    positions,
    blocks: new Map(blocks.map(({ layer, keys, values }) => [layer, { keys: head(keys), values: head(values) }])),
  }
}
