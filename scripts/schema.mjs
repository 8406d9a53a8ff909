// Writes schema/config.schema.json from the built package: what `train` configs may say.
import { mkdirSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { runConfig } from '../dist/esm/cli/config.js';
import { root } from './run.mjs';

mkdirSync(`${root}/schema`, { recursive: true });
const schema = {
  title: 'polydomain run',
  ...z.toJSONSchema(runConfig, { io: 'input', reused: 'ref' }),
};
writeFileSync(`${root}/schema/config.schema.json`, `${JSON.stringify(schema, null, 2)}\n`);
