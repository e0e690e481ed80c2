import { defineConfig } from 'vitest/config'

/** Each test file is its own process: TensorFlow and its settings are one to a process. */
export default defineConfig({
  test: {
    include: ['*/**/*.test.ts'],
    exclude: ['node_modules/**', 'dist/**', 'runs/*/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
