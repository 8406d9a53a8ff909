import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { runConfig } from '../../ts/cli/config.js';
import { compareConfig } from '../../ts/compare/config.js';
import { baseConfig } from './sandbox.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;

describe.each([
  ['config', 'polydomain run', runConfig, ['data', 'model', 'strategy', 'optimizer']],
  ['compare', 'polydomain comparison', compareConfig, ['data']],
] as const)('schema/%s.schema.json', (name, title, config, required) => {
  const path = resolve(root, `schema/${name}.schema.json`);
  const options = { io: 'input', reused: 'ref' } as const;

  it('is what the command line checks configs with', () => {
    const expected = { title, ...z.toJSONSchema(config, options) };
    // As JSON has it: without what is undefined.
    expect(read(path)).toEqual(JSON.parse(JSON.stringify(expected)));
  });

  it('asks for no key that has a default', () => {
    expect(read(path).required).toEqual(required);
  });
});

describe('the examples', () => {
  const paths = readdirSync(resolve(root, 'examples'))
    .map((name) => resolve(root, 'examples', name, 'config.json'))
    .filter((path) => existsSync(path));

  it('are there', () => {
    expect(paths.length).toBeGreaterThan(0);
  });

  it.each(paths)('%s is a config, and names the schema', (path) => {
    const example = read(path);
    expect(() => runConfig.parse(example)).not.toThrow();
    const schema = resolve(dirname(path), String(example.$schema));
    expect(schema).toBe(resolve(root, 'schema/config.schema.json'));
  });
});

it('what was resolved once stays as it is', () => {
  const resolved = runConfig.parse({ ...baseConfig, finetune: {} });
  expect(runConfig.parse(resolved)).toEqual(resolved);
});
