/**
 * tfjs-core's own specs as one file. They are published as modules that only a bundler can load; the bundle's copy of
 * tfjs-core shares its engine with ours through a global, so that the specs run on the engine that is started.
 */
import { join } from 'node:path'
import { build } from 'esbuild'

/** Writes the specs of `environment` (a backend name) to a file in `folder` and returns its path. */
export async function bundleSpecs(folder: string, environment: string): Promise<string> {
  const file = join(folder, 'specs.cjs')
  const core = '@tensorflow/tfjs-core/dist'
  await build({
    stdin: {
      contents: `
        require('${core}/public/chained_ops/register_all_chained_ops')
        require('${core}/register_all_gradients')
        require('${core}/jasmine_util').setTestEnvs([
          { name: 'test-${environment}', backendName: '${environment}', flags: {}, isDataSync: true },
        ])
        require('${core}/tests')`,
      resolveDir: import.meta.dirname,
    },
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    // tfjs-core declares its modules free of side effects; the specs are nothing else.
    ignoreAnnotations: true,
    logLevel: 'error',
  })
  return file
}
