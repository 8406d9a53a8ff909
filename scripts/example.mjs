// Runs one of examples/*.ts: `npm run example own-model [arguments]`.
import { existsSync } from 'node:fs';
import { build } from './build.mjs';
import { root, run } from './run.mjs';

const [name, ...rest] = process.argv.slice(2);
if (!name || !existsSync(`${root}/examples/${name}.ts`)) {
  console.error('usage: npm run example own-model | own-strategy | new-domain');
  process.exit(2);
}
if (!existsSync(`${root}/dist/esm/index.js`)) build();
// Inside the package, 'polydomain' is the package itself.
const script = `build/examples/${name}.mjs`;
run(['npx', 'esbuild', `examples/${name}.ts`, `--outfile=${script}`, '--log-level=warning']);
run(['node', script, ...rest]);
