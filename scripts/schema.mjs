// Writes schema/*.schema.json from the built package: what configs of `train` and `compare` may say.
import { mkdirSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { runConfig } from '../dist/esm/cli/config.js';
import { compareConfig } from '../dist/esm/compare/config.js';
import { root } from './run.mjs';

mkdirSync(`${root}/schema`, { recursive: true });
for (const [name, title, config] of [
  ['config', 'polydomain run', runConfig],
  ['compare', 'polydomain comparison', compareConfig],
]) {
  const schema = { title, ...z.toJSONSchema(config, { io: 'input', reused: 'ref' }) };
  writeFileSync(`${root}/schema/${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`);
}
