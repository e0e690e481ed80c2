/**
 * A file of reference values: what another implementation computes on given tokens, as tensors by name, and the token ids
 * that another tokenizer gives for texts (docs/make_reference.py writes both).
 */
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { z } from 'zod'
import { parseConfig } from '../core/config.ts'
import { UserError } from '../core/errors.ts'
import { readJson } from '../core/files.ts'
import { inBlock } from '../core/sites.ts'
import { openSafetensors, type SafetensorsFile } from '../engine/safetensors.ts'
import type { Model } from './model.ts'

const Ids = z.array(z.int().min(0))
const Text = z.object({ text: z.string(), ids: Ids })
const Sidecar = z.object({ input_ids: z.array(Ids.min(1)).min(1).optional(), tokenized: z.array(Text).default([]) })

/** A text and the ids of its tokens, without a BOS or another special token before or after it. */
export type ReferenceText = z.output<typeof Text>

/** An open reference. */
export interface Reference {
  readonly file: SafetensorsFile
  /** Token ids [batch, position] the values were computed on. */
  readonly ids: number[][]
  readonly texts: readonly ReferenceText[]
}

/** Opens NAME.safetensors with NAME.json beside it; a `UserError` for what is missing or not of this form. */
export async function openReference(path: string): Promise<Reference> {
  const file = await openSafetensors(path)
  try {
    const sidecar = file.path.replace(/\.safetensors$/, '.json')
    const found = await stat(sidecar).then(
      () => sidecar !== file.path,
      () => false,
    )
    const { input_ids, tokenized } = found
      ? parseConfig(Sidecar, await readJson(sidecar, 'reference sidecar'), basename(sidecar))
      : { input_ids: undefined, tokenized: [] }
    if (input_ids?.some(row => row.length !== input_ids[0]!.length))
      throw new UserError(`The input_ids of ${sidecar} are rows of different lengths.`)
    return { file, ids: input_ids ?? (await idsIn(file, sidecar)), texts: tokenized }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Token ids that are a tensor of the file. */
async function idsIn(file: SafetensorsFile, sidecar: string): Promise<number[][]> {
  if (!file.has('input_ids'))
    throw new UserError(`${file.path} has no input_ids, neither as a tensor nor in ${sidecar}.`, {
      fix: 'docs/make_reference.py writes both files.',
    })
  const shape = file.shape('input_ids')
  if (shape.length !== 2 || shape.includes(0))
    throw new UserError(`The input_ids of ${file.path} must be [batch, position], not [${shape}].`)
  const flat = await file.readInts('input_ids')
  return Array.from({ length: shape[0]! }, (_, row) => [...flat.subarray(row * shape[1]!, (row + 1) * shape[1]!)])
}

/** Sites in blocks by the names of reference tensors, such as `resid_post.3`. */
const inBlocks: Readonly<Record<string, string>> = {
  resid_pre: 'hook_resid_pre',
  resid_mid: 'hook_resid_mid',
  resid_post: 'hook_resid_post',
  attn_out: 'hook_attn_out',
  mlp_out: 'hook_mlp_out',
  z: 'attn.hook_z',
  pattern: 'attn.hook_pattern',
  mlp_act: 'mlp.hook_post',
}
/** The same outside the blocks; the loss is made of the logits. */
const outside: Readonly<Record<string, string>> = {
  logits: 'unembed.hook_out',
  final_norm: 'unembed.hook_in',
  token_loss: 'unembed.hook_out',
}

/** The site of a model that a reference tensor is compared with: by one of the names above, or the site's own. */
export function siteOfTensor(model: Model, name: string, path: string): string {
  const [, kind, layer] = /^(\w+)\.(\d+)$/.exec(name) ?? []
  const whole = Object.hasOwn(outside, name) ? outside[name] : undefined
  const site = whole ?? (kind && Object.hasOwn(inBlocks, kind) ? inBlock(layer!, inBlocks[kind]) : name)
  if (model.sites.some(known => known.name === site)) return site
  const known = [...Object.keys(outside), ...Object.keys(inBlocks).map(key => `${key}.LAYER`)]
  throw new UserError(`The model has nothing to compare with tensor ${name} of ${path}.`, {
    fix: `Known are ${known.join(', ')} and the names of its sites.`,
  })
}
