/** The model and text on which SAEs are measured while they are trained. */
import type { StageContext } from '../../core/stage.ts'
import type { DatasetConfig } from '../../datasets/config.ts'
import type { Capture } from '../../datasets/shards/index.ts'
import type { RunInput } from '../../runs/run.ts'
import type { RunStore } from '../../runs/store.ts'
import type { FidelityProbe } from '../../sae/training/training.ts'
import type { Found } from './found.ts'
import { loadModelAndText } from './inputs.ts'
import { datasetOf, modelOf } from './origin.ts'

/** The `fidelity` section of a train config. */
interface Settings {
  readonly every: number
  readonly windows: number
  readonly model?: string | undefined
  readonly dataset?: DatasetConfig | undefined
}

/** Probes by site. The model is loaded when the first is asked for; whoever opens them disposes them. */
export interface Probes {
  at(site: string): Promise<FidelityProbe>
  dispose(): void
}

export interface FoundFidelity {
  readonly inputs: readonly RunInput[]
  /** The settings as a manifest keeps them. */
  readonly recorded: Readonly<Record<string, unknown>>
  open(capture: Capture, context: StageContext): Probes
}

/** Roles of their own: what later stages inherit as model and text is the capture's. */
const modelRole = 'fidelityModel'
const datasetRole = 'fidelityDataset'

/** Finds model and text, by default those that the capture was made from. */
export async function findFidelity(store: RunStore, capture: Found, settings: Settings): Promise<FoundFidelity> {
  const { every, windows } = settings
  const model = await modelOf(store, capture, settings.model)
  const text = await datasetOf(store, capture, settings.dataset)
  return {
    inputs: [
      { ...model.input, role: modelRole },
      { ...text.input, role: datasetRole },
    ],
    recorded: { fidelity: { every, windows }, [modelRole]: model.input.path, [datasetRole]: text.config },
    open(rows, { progress, signal }) {
      let loaded: ReturnType<typeof loadModelAndText> | undefined
      const probes = new Map<string, Promise<FidelityProbe>>()
      return {
        async at(site) {
          loaded ??= loadModelAndText(model, text, { progress, signal })
          const { model: host, dataset } = await loaded
          const { fidelityProbe } = await import('../../latents/fidelity.ts')
          const mean = rows.manifest.sites.find(({ name }) => name === site)!.statistics.populationMean
          const probe =
            probes.get(site) ?? fidelityProbe(host, dataset, { site, windows, signal, mean: Float32Array.from(mean) })
          probes.set(site, probe)
          return probe
        },
        dispose() {
          loaded?.then(
            ({ model }) => model.dispose(),
            () => {},
          )
        },
      }
    },
  }
}
