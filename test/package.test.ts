import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The packed package, installed without scripts where no compiler is on PATH. */
describe('the package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'polydomain-package-'));
  const bin = join(folder, 'bin');
  const env = { ...process.env, PATH: bin };
  const inFolder = (file: string, args: readonly string[]): string =>
    execFileSync(file, args, { cwd: folder, env, encoding: 'utf8' });

  beforeAll(() => {
    execFileSync('node', ['scripts/prebuild.mjs'], { cwd: root });
    const packed = execFileSync(
      'npm',
      ['pack', '--ignore-scripts', '--json', '--pack-destination', folder],
      {
        cwd: root,
        encoding: 'utf8',
      },
    );
    const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
    writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
    execFileSync(
      'npm',
      ['install', '--ignore-scripts', '--no-audit', '--no-fund', join(folder, filename)],
      {
        cwd: folder,
      },
    );
    execFileSync('mkdir', [bin]);
    for (const tool of ['node', 'sh', 'env']) {
      const path = execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim();
      symlinkSync(path, join(bin, tool));
    }
  }, 300_000);

  afterAll(() => rmSync(folder, { recursive: true }));

  it("trains the README's example", () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const example = /```js\n([\s\S]*?)```/.exec(readme)?.[1];
    if (!example) throw new Error('the README has no example');
    writeFileSync(join(folder, 'example.mjs'), example);
    const [auc, score] = inFolder('node', ['example.mjs']).trim().split('\n').map(Number);
    expect(auc).toBeGreaterThan(0.6);
    expect(score).toBeGreaterThan(0);
    expect(score).toBeLessThan(1);
  }, 300_000);

  it('loads as CommonJS', () => {
    const script = "console.log(Object.keys(require('polydomain').strategies).join())";
    expect(inFolder('node', ['-e', script])).toMatch(/alternate.*mamdr/);
  });

  it('knows its classes from another loaded copy', () => {
    writeFileSync(
      join(folder, 'copies.mjs'),
      `import { createRequire } from 'node:module';
      import * as esm from 'polydomain';
      const cjs = createRequire(import.meta.url)('polydomain');
      const { Tensor, Dataset, ShapeError, DataError } = esm;
      const tensor = cjs.Tensor.from(new Float32Array(2));
      const error = (() => { try { cjs.Tensor.from(new Float32Array(2), [3]); } catch (e) { return e; } })();
      console.log(Tensor !== cjs.Tensor, tensor instanceof Tensor, {} instanceof Tensor,
        error instanceof ShapeError, error instanceof DataError,
        esm.ops.add(tensor, tensor).data.length);`,
    );
    expect(inFolder('node', ['copies.mjs']).trim()).toBe('true true false true false 2');
  });

  it('trains and scores in worker threads beside the main thread, with the same result', () => {
    writeFileSync(
      join(folder, 'workers.mjs'),
      `import { Worker, isMainThread, parentPort } from 'node:worker_threads';
      import { fileURLToPath } from 'node:url';
      import { fit, models, onlineRetail, optim, strategies } from 'polydomain';
      const data = await onlineRetail();
      const model = models.mlp({ schema: data.schema, embeddingDim: 4, hidden: [8], seed: 1 });
      const workers = isMainThread
        ? [1, 2].map(() => new Promise((resolve, reject) => {
            const worker = new Worker(fileURLToPath(import.meta.url));
            worker.once('message', resolve).once('error', reject);
          }))
        : [];
      const run = await fit(model, data,
        { strategy: strategies.dn(), optimizer: optim.adam(), epochs: 2, threads: 2 });
      const auc = run.metrics.test.auc.mean;
      const [row] = [data.schema.features.map(({ name }) => [name, 1])].map(Object.fromEntries);
      const scorers = data.schema.domains.map((domain) => run.forDomain(domain));
      const own = JSON.stringify([auc, scorers.map((scorer) => scorer.predictSync(row))]);
      if (isMainThread) console.log(new Set([own, ...(await Promise.all(workers))]).size, auc > 0.5);
      else parentPort.postMessage(own);`,
    );
    expect(inFolder('node', ['workers.mjs']).trim()).toBe('1 true');
  }, 60_000);

  it('outlives a worker thread that is ended in the middle of its training', () => {
    writeFileSync(
      join(folder, 'ended.mjs'),
      `import { Worker, isMainThread, parentPort } from 'node:worker_threads';
      import { fileURLToPath } from 'node:url';
      import { fit, models, onlineRetail, optim, strategies } from 'polydomain';
      const data = await onlineRetail();
      const train = (epochs, onEvent) => {
        const model = models.mlp({ schema: data.schema, embeddingDim: 16, hidden: [32], seed: 1 });
        return fit(model, data,
          { strategy: strategies.mamdr(), optimizer: optim.adam(), epochs, onEvent });
      };
      if (isMainThread) {
        for (let i = 0; i < 3; i++) {
          const worker = new Worker(fileURLToPath(import.meta.url));
          await new Promise((resolve) => worker.once('message', resolve));
          await worker.terminate();
        }
        console.log((await train(1)).metrics.test.auc.mean > 0.5);
      } else {
        await train(1000, ({ kind }) => {
          if (kind === 'progress') parentPort.postMessage('at work');
        });
      }`,
    );
    expect(inFolder('node', ['ended.mjs']).trim()).toBe('true');
  }, 60_000);

  it.each(['own-model', 'own-strategy', 'new-domain'])(
    'is all that the example %s needs',
    (name) => {
      const source = readFileSync(join(root, 'examples', `${name}.ts`), 'utf8');
      const { code } = transformSync(source, { loader: 'ts', format: 'esm' });
      writeFileSync(join(folder, `${name}.mjs`), code);
      const lines = inFolder('node', [`${name}.mjs`, '1', name])
        .trim()
        .split('\n');
      expect(Number(lines[0]?.split(' ').at(-1))).toBeGreaterThan(0.5);
      // Scores that must be the same: of a model saved and loaded, of domains left alone.
      for (const line of lines.slice(1)) {
        expect(new Set(line.split(' ').slice(-2)).size).toBe(1);
      }
    },
    300_000,
  );

  it('has a command line that runs the demo and tells what it runs on', () => {
    const cli = join(folder, 'node_modules/.bin/polydomain');
    const report = JSON.parse(inFolder('node', [cli, 'doctor', '--json'])) as { version: string };
    expect(report.version).toBe('0.1.0');
    const summary = JSON.parse(inFolder('node', [cli, 'demo', '--epochs', '1', '--json'])) as {
      rows: Record<string, number>;
      runs: { strategy: string; testAuc: number; folder: string }[];
    };
    expect(Object.keys(summary.rows)).toHaveLength(17);
    expect(summary.runs.map((run) => run.strategy)).toEqual(['alternate', 'mamdr']);
    for (const run of summary.runs) expect(run.testAuc).toBeGreaterThan(0.55);
    expect(() => inFolder('node', [cli, 'demo', '--epochs', 'many'])).toThrow();
    const options = ['--shapes', 'overhead', '--rounds', '1', '--patience', '0', '--no-peers'];
    expect(inFolder('node', [cli, 'benchmark', ...options])).toMatch(/^polydomain +\d/m);
  }, 300_000);
});
