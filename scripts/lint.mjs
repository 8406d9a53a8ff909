import { readdirSync } from 'node:fs';
import { root, run } from './run.mjs';
import { setUp } from './set-up.mjs';

setUp();
const fix = process.argv.includes('--fix');
run(['npx', 'biome', ...(fix ? ['check', '--write'] : ['ci']), '--colors=off', '.']);
for (const project of ['tsconfig.json', 'tsconfig.client.json']) {
  run(['npx', 'tsc', '--noEmit', '-p', project]);
}

const sources = ['native', 'bindings'].flatMap((folder) =>
  readdirSync(`${root}/${folder}`, { recursive: true })
    .filter((file) => /\.(cpp|cu|h)$/.test(file))
    .map((file) => `${folder}/${file}`),
);
run(['clang-format', ...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...sources]);
