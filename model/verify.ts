/**
 * A model against reference values: a safetensors file of what another implementation computes on given tokens
 * (docs/make_reference.py writes one with PyTorch), compared tensor by tensor.
 */
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { z } from 'zod'
import { parseConfig } from '../core/config.ts'
import { UserError } from '../core/errors.ts'
import { readJson } from '../core/files.ts'
import { openSafetensors, type SafetensorsFile } from '../engine/safetensors.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import { tokenLoss } from './loss.ts'
import type { Hook, Model } from './model.ts'

/** How one tensor of the reference compares. */
export interface VerifiedTensor {
  /** Its name in the reference file. */
  readonly name: string
  /** The site it was compared with. */
  readonly site: string
  /** Largest absolute difference of an element; infinite where one is not a number and the other is. */
  readonly difference: number
  /** Largest absolute value expected: float32 rounds such values by about 1e-7 of it at every step. */
  readonly magnitude: number
  readonly elements: number
  readonly passed: boolean
}

export interface VerifyReport {
  readonly model: string
  readonly reference: string
  readonly tolerance: number
  /** Batch and positions of the tokens compared on. */
  readonly tokens: readonly [number, number]
  /** In the order of the forward pass. */
  readonly tensors: readonly VerifiedTensor[]
  readonly largest: number
  readonly passed: boolean
}

const Sidecar = z.object({ input_ids: z.array(z.array(z.int().min(0)).min(1)).min(1) })

/** The site a reference tensor holds: `logits`, `resid_post.3`, … or a site's own name. */
const siteNames: Record<string, (layer: string) => string> = {
  resid_pre: layer => `blocks.${layer}.hook_resid_pre`,
  resid_mid: layer => `blocks.${layer}.hook_resid_mid`,
  resid_post: layer => `blocks.${layer}.hook_resid_post`,
  attn_out: layer => `blocks.${layer}.hook_attn_out`,
  mlp_out: layer => `blocks.${layer}.hook_mlp_out`,
  z: layer => `blocks.${layer}.attn.hook_z`,
  pattern: layer => `blocks.${layer}.attn.hook_pattern`,
  mlp_act: layer => `blocks.${layer}.mlp.hook_post`,
}
const wholeNames: Record<string, string> = { logits: 'unembed.hook_out', final_norm: 'unembed.hook_in' }

/**
 * Runs the model on the reference's tokens (`input_ids` in NAME.json beside NAME.safetensors, or a tensor of that name
 * in it) and compares every tensor. Heads may be flattened: only the number of elements must agree. Throws a
 * `UserError` for a tensor that the model has no site for or that has another size.
 */
export async function verifyModel(model: Model, referencePath: string, tolerance = 1e-4): Promise<VerifyReport> {
  const file = await openSafetensors(referencePath)
  try {
    const ids = await inputIds(file)
    const wanted = file.names
      .filter(name => name !== 'input_ids')
      .map(name => ({ name, site: name === 'token_loss' ? 'unembed.hook_out' : siteOf(model, name, referencePath) }))
    const order = new Map(model.sites.map(({ name }, index) => [name, index]))
    wanted.sort((a, b) => order.get(a.site)! - order.get(b.site)!)
    const values = valuesAt(
      model,
      ids,
      wanted.map(({ name, site }) => [name, site]),
    )
    const tensors: VerifiedTensor[] = []
    for (const { name, site } of wanted) {
      const expected = await file.read(name)
      const actual = values.get(name)!
      if (actual.length !== expected.length)
        throw new UserError(
          `Tensor ${name} of ${referencePath} has ${expected.length} elements [${file.shape(name).join(', ')}], but the model has ${actual.length} at ${site}.`,
          { fix: 'Check that the reference is of this model and these tokens.' },
        )
      const difference = largestDifference(actual, expected)
      const magnitude = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
      tensors.push({ name, site, difference, magnitude, elements: expected.length, passed: difference <= tolerance })
    }
    return {
      model: model.path,
      reference: referencePath,
      tolerance,
      tokens: [ids.length, ids[0]!.length],
      tensors,
      largest: tensors.reduce((most, { difference }) => Math.max(most, difference), 0),
      passed: tensors.every(({ passed }) => passed),
    }
  } finally {
    await file.close()
  }
}

async function inputIds(file: SafetensorsFile): Promise<number[][]> {
  const sidecar = file.path.replace(/\.safetensors$/, '.json')
  const found = await stat(sidecar).then(
    () => sidecar !== file.path,
    () => false,
  )
  if (found) {
    const { input_ids } = parseConfig(Sidecar, await readJson(sidecar, 'reference sidecar'), basename(sidecar))
    if (input_ids.some(row => row.length !== input_ids[0]!.length))
      throw new UserError(`The input_ids of ${sidecar} are rows of different lengths.`)
    return input_ids
  }
  if (!file.has('input_ids'))
    throw new UserError(`${file.path} has no input_ids, neither as a tensor nor in ${sidecar}.`, {
      fix: 'docs/make_reference.py writes both files.',
    })
  const shape = file.shape('input_ids')
  if (shape.length !== 2)
    throw new UserError(`The input_ids of ${file.path} must be [batch, position], not [${shape}].`)
  const flat = await file.readInts('input_ids')
  return Array.from({ length: shape[0]! }, (_, row) => [...flat.subarray(row * shape[1]!, (row + 1) * shape[1]!)])
}

function siteOf(model: Model, name: string, path: string): string {
  const [, kind, layer] = /^(\w+)\.(\d+)$/.exec(name) ?? []
  const site = wholeNames[name] ?? (kind && Object.hasOwn(siteNames, kind) ? siteNames[kind]!(layer!) : name)
  if (model.sites.some(known => known.name === site)) return site
  const known = [...Object.keys(wholeNames), 'token_loss', ...Object.keys(siteNames).map(key => `${key}.LAYER`)]
  throw new UserError(`The model has nothing to compare with tensor ${name} of ${path}.`, {
    fix: `Known are ${known.join(', ')} and the names of its sites.`,
  })
}

/** What the model computes for each [name, site] pair, in one pass. */
function valuesAt(model: Model, ids: number[][], wanted: (readonly [string, string])[]): Map<string, Float32Array> {
  const values = new Map<string, Float32Array>()
  const hooks: Record<string, Hook> = {}
  for (const [name, site] of wanted) {
    const before = hooks[site]
    hooks[site] = (value, at) => {
      before?.(value, at)
      if (name !== 'token_loss') values.set(name, Float32Array.from(value.dataSync<'float32'>()))
      return undefined
    }
  }
  tf.tidy(() => {
    const tokens = tf.tensor2d(ids, undefined, 'int32') as Tensor2D
    const logits: Tensor = model.run(tokens, { hooks })
    if (wanted.some(([name]) => name === 'token_loss'))
      values.set('token_loss', Float32Array.from(tokenLoss(logits as Tensor3D, tokens).dataSync<'float32'>()))
  })
  return values
}

function largestDifference(actual: Float32Array, expected: Float32Array): number {
  let largest = 0
  for (let i = 0; i < actual.length; i++) {
    const a = actual[i]!
    const b = expected[i]!
    if (a === b) continue
    const difference = Math.abs(a - b)
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY
    if (difference > largest) largest = difference
  }
  return largest
}
