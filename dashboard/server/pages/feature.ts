/** One feature, in the order of evidence: what was tested and came out, then where it fires. */
import { NotThereError } from '../../../core/errors.ts'
import { readFeatures } from '../../../labels/files.ts'
import { readEvidence } from '../../../validation/evidence.ts'
import { readExamples } from '../../read/examples.ts'
import { featureCard } from '../../report/features.ts'
import { validationHtml } from '../../report/validation.ts'
import { link, type PageRoute } from './page.ts'

export const featurePage: PageRoute = {
  path: '/runs/{run}/features/{latent}',
  async make({ runs }, { run, latent }) {
    const labels = await runs.finished(run!, 'label')
    const features = await runs.kept(labels, 'features.jsonl', () => readFeatures(labels.directory))
    const place = /^\d{1,9}$/.test(latent!) ? features.findIndex(feature => feature.latent === Number(latent)) : -1
    const feature = features[place]
    if (!feature) throw new NotThereError(`The run ${run} has no latent ${JSON.stringify(latent)}.`)
    const examples = await readExamples(labels.directory, new Set([feature.latent]))
    const input = labels.manifest.inputs.find(({ role }) => role === 'evidence')
    const tested = input?.run === undefined ? undefined : await runs.finished(input.run, 'validate')
    const evidence = tested && (await runs.kept(tested, 'evidence.json', readEvidence))
    const own = evidence?.features.filter(({ claim }) => claim.feature === feature.latent) ?? []
    const about = { names: new Map([[feature.latent, feature.label ?? '']]), cards: new Set<number>() }
    const neighbours = [features[place - 1], features[place + 1]].map((other, i) =>
      other
        ? link(['runs', run!, 'features', String(other.latent)], `${i === 0 ? '←' : '→'} latent ${other.latent}`)
        : '',
    )
    return {
      title: `Latent ${feature.latent}${feature.label === null ? '' : `: ${feature.label}`}`,
      body: `<nav aria-label="Neighbours">${link(['runs', run!, 'features'], 'All features')}${neighbours.join('')}</nav>
<h2>Evidence</h2>
${own.length > 0 ? `<p class="soft">From ${link(['runs', tested!.manifest.id], tested!.manifest.id)}.</p>${validationHtml({ ...evidence!, features: own }, about)}` : `<p class="nothing">Not tested. <code>pipeline validate --sae SAE --latents ${feature.latent}</code> would.</p>`}
<h2>Where it fires</h2>
${featureCard(feature, examples.get(feature.latent) ?? [])}`,
    }
  },
}
