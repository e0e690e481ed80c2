import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Tests that choose an engine, set the environment, start processes or replace modules: each of their files is a process of its own. */
const ownProcess = [
  'core/memory.test.ts',
  'engine/**/*.test.ts',
  'tests/*.test.ts',
  'tests/*/*.test.ts',
  'pipeline/**/*.test.ts',
  'dashboard/server/*.test.ts',
  'dashboard/read/examples.test.ts',
  'dashboard/read/table.test.ts',
]

/** Files that take longest begin first, so that no processor waits for the last; files that share a process follow each other. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = (file: TestSpecification) =>
      file.project.name === 'shared process' ? 2 : file.moduleId.includes('/tests/') ? 0 : 1
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: { name: 'own process', include: ownProcess, exclude: ['node_modules/**'] },
      },
      {
        extends: true,
        test: {
          name: 'shared process',
          isolate: false,
          include: ['*/**/*.test.ts'],
          exclude: ['node_modules/**', 'dist/**', 'runs/*/**', ...ownProcess],
        },
      },
    ],
  },
})
