/**
 * Crosscoders between models in the layout of crosscoder-model-diff-replication: `cc_weights.pt` and `cfg.json`, or `N.pt` and
 * `N_cfg.json`.
 *
 *   f = relu(Σ_m x_m W_enc,m + b_enc)     x̂_m = f W_dec,m + b_dec,m     W_enc [models, width, latents], W_dec [latents, models, width]
 *
 * It is trained on rows of each model times √d / mean norm; the factors are not in the files.
 */
import { basename, dirname, join } from 'node:path'
import { UserError } from '../../../core/errors.ts'
import { readConfigFile } from '../files/bounded-file.ts'
import { asNumber, vector } from '../files/parts.ts'
import { mustKnowKeys } from '../files/said.ts'
import { readStateDict } from '../files/torch.ts'
import type { Imported, Layout } from './layout.ts'
import { cube, wideEncoder } from './sites.ts'

const numbered = /^(\d+)\.pt$/

/** Known by `cc_weights.pt`, or `N.pt` with `N_cfg.json`. */
export const crosscoder: Layout = {
  name: 'crosscoder',
  find: names =>
    names.filter(name => {
      const version = numbered.exec(name)?.[1]
      return name === 'cc_weights.pt' || (version !== undefined && names.includes(`${version}_cfg.json`))
    }),
  read: readCrosscoder,
}

const trainingKeys = [
  ...['seed', 'batch_size', 'buffer_mult', 'lr', 'num_tokens', 'l1_coeff', 'beta1', 'beta2', 'seq_len', 'enc_dtype'],
  ...['device', 'model_batch_size', 'log_every', 'save_every', 'dec_init_norm', 'wandb_project', 'wandb_entity'],
  ...['model_name', 'model_A', 'model_B', 'site', 'n_models', 'ae_dim', 'hook_point'],
]

async function readCrosscoder(path: string): Promise<Imported> {
  const version = numbered.exec(basename(path))?.[1]
  const configPath = join(dirname(path), version === undefined ? 'cfg.json' : `${version}_cfg.json`)
  const config = await readConfigFile(configPath, 'crosscoder config')
  mustKnowKeys(config, { read: ['d_in', 'dict_size'], harmless: trainingKeys }, configPath)
  const tensors = await readStateDict(path)
  const encoder = cube(tensors, 'W_enc', path)
  const [models, width, latents] = encoder.shape as [number, number, number]
  const decoder = cube(tensors, 'W_dec', path)
  if (decoder.shape.some((side, i) => side !== [latents, models, width][i]))
    throw new UserError(`W_dec in ${path} has shape [${decoder.shape}]; it must be [${[latents, models, width]}].`)
  for (const [key, size] of [
    ['d_in', width],
    ['dict_size', latents],
  ] as const)
    if (config[key] !== undefined && asNumber(config[key]) !== size)
      throw new UserError(
        `${configPath} says ${key} is ${String(config[key])}, but the weights in ${path} have ${size}.`,
      )
  const sae: Imported = {
    architecture: 'crosscoder',
    config: { apply_b_dec_to_input: false, normalize_activations: 'none', sites: models },
    params: {
      W_enc: wideEncoder(encoder),
      b_enc: vector(tensors, 'b_enc', latents, path),
      W_dec: { shape: [latents, models * width], data: decoder.data },
      b_dec: vector(tensors, 'b_dec', models * width, path),
    },
    metadata: {
      hook_name: '',
      imported_from: {
        format: 'crosscoder',
        ...(typeof config.hook_point === 'string' ? { hook_point: config.hook_point } : {}),
      },
    },
    notices: [
      `${basename(path)} reads rows of ${models} models side by side, each times √${width} / its mean norm; these factors are not in the file, and rows are to be given that way.`,
    ],
  }
  tensors.mustBeTaken(path)
  return sae
}
