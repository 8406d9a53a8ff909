// Builds the addon (CMake) and the package (TypeScript to ESM, esbuild to CommonJS).
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { root, run } from './run.mjs';
import { setUp } from './set-up.mjs';

export function configure(preset) {
  const include = ['node-addon-api', 'node-api-headers/include']
    .map((folder) => `${root}/node_modules/${folder}`)
    .join(';');
  run(['cmake', '--preset', preset, `-DPOLYDOMAIN_NODE_INCLUDE=${include}`]);
  run(['cmake', '--build', '--preset', preset]);
}

export function build() {
  setUp();
  configure('release');
  rmSync(`${root}/dist`, { recursive: true, force: true });
  run(['npx', 'tsc', '-p', 'tsconfig.build.json']);
  mkdirSync(`${root}/dist/cjs`, { recursive: true });
  run([
    'npx',
    'esbuild',
    'ts/index.ts',
    '--bundle',
    '--platform=node',
    '--format=cjs',
    '--packages=external',
    '--define:import.meta.url=moduleUrl',
    '--banner:js=const moduleUrl = require("node:url").pathToFileURL(__filename).href;',
    '--outfile=dist/cjs/index.js',
    '--log-level=warning',
  ]);
  writeFileSync(`${root}/dist/cjs/package.json`, '{"type":"commonjs"}\n');
  writeFileSync(`${root}/dist/cjs/index.d.ts`, "export * from '../esm/index.js';\n");
  run(['node', 'scripts/schema.mjs']);
  chmodSync(`${root}/dist/esm/cli/main.js`, 0o755);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) build();
