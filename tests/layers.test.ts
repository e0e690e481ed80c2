/** Imports go one way: from room to room, and inside a room from a later sub-room to an earlier one. No exceptions. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Room {
  /** What it may import besides itself: rooms, sub-rooms or files. */
  readonly imports: readonly string[]
  /** Its sub-rooms and files of its top level, first ones first; top-level files that are not named come last. */
  readonly order?: readonly string[]
}

const everything = [
  ...['core', 'statistics', 'engine', 'runs', 'datasets', 'model', 'sae', 'capture'],
  ...['latents', 'validation', 'labels', 'dashboard'],
]

const rooms: Readonly<Record<string, Room>> = {
  core: { imports: [] },
  statistics: {
    imports: ['core'],
    order: [
      ...['check.ts', 'descriptive.ts', 'bins.ts', 'distributions', 'intervals', 'tests', 'effects', 'association'],
      ...['multiplicity', 'power', 'curves', 'drift'],
    ],
  },
  engine: { imports: ['core'] },
  runs: { imports: ['core'] },
  datasets: { imports: ['core', 'engine'] },
  model: { imports: ['core', 'engine'] },
  sae: {
    imports: ['core', 'engine', 'datasets'],
    order: [
      ...['sae.ts', 'architecture.ts', 'sparse.ts', 'normalise.ts'],
      ...['layers', 'inference.ts', 'make.ts', 'saved.ts'],
      ...['architectures', 'formats', 'measure', 'step', 'training', 'parity', 'truth'],
    ],
  },
  capture: { imports: ['core', 'statistics', 'engine', 'datasets', 'model'] },
  latents: { imports: ['core', 'statistics', 'engine', 'datasets', 'model', 'sae'] },
  validation: {
    imports: ['core', 'statistics', 'engine', 'datasets', 'model', 'capture', 'sae', 'latents'],
    order: [
      ...['contracts', 'interventions', 'config.ts', 'evidence.ts', 'controls', 'rows.ts', 'claims', 'working.ts'],
      ...['effects.ts', 'judging', 'rounds.ts', 'measure.ts', 'measure-tied.ts', 'measure-all.ts', 'tables.ts'],
      ...['inputs.ts', 'splits.ts'],
      ...['read-text.ts', 'reconstruct.ts'],
