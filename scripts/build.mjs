// Builds the addon (CMake) and the package (TypeScript to ESM, esbuild to CommonJS).
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

/** The notices that copies of the chart library have to carry, as a comment. */
function chartNotices() {
  const files = ['echarts/NOTICE', 'echarts/licenses/LICENSE-d3', 'zrender/LICENSE'];
  const texts = files.map(
    (file) => `${file}\n\n${readFileSync(`${root}/node_modules/${file}`, 'utf8').trim()}`,
  );
  const licence =
    'ECharts: Apache License, Version 2.0, https://www.apache.org/licenses/LICENSE-2.0';
  return `/*!\n${[licence, ...texts].join('\n\n').replaceAll('*/', '* /')}\n*/`;
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
  // The charts of reports, which pages hold whole: a user needs no chart library.
  run([
    'npx',
    'esbuild',
    'ts/report/client/main.ts',
    '--bundle',
    '--minify',
    '--platform=browser',
    '--target=es2022',
    '--legal-comments=inline',
    `--banner:js=${chartNotices()}`,
    '--outfile=dist/report/client.js',
    '--log-level=warning',
  ]);
  copyFileSync(`${root}/ts/report/client/style.css`, `${root}/dist/report/style.css`);
  writeFileSync(`${root}/dist/cjs/package.json`, '{"type":"commonjs"}\n');
  writeFileSync(`${root}/dist/cjs/index.d.ts`, "export * from '../esm/index.js';\n");
  run(['node', 'scripts/schema.mjs']);
  chmodSync(`${root}/dist/esm/cli/main.js`, 0o755);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) build();
