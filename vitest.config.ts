import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Processes, not threads: a crash of the addon then names its test file.
    pool: 'forks',
    testTimeout: 30_000,
  },
});
