import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const benchmarks = join(import.meta.dirname, '../benchmarks');
const script = join(benchmarks, 'experiments/table.mjs');
const folders = readdirSync(join(benchmarks, 'results'))
  .map((name) => join(benchmarks, 'results', name))
  .filter((folder) => existsSync(join(folder, 'compare.json')));

describe('tables of benchmarks/README.md', () => {
  const readme = readFileSync(join(benchmarks, 'README.md'), 'utf8');

  it.each(folders)('has that of %s', (folder) => {
    const table = execFileSync(process.execPath, [script, folder], { encoding: 'utf8' });
    expect(table).toMatch(/^\| entry .*\n\| -/);
    expect(readme).toContain(table);
  });
});
