import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { threeDomains } from './three-domains.js';

const library = new URL('../../dist/esm/index.js', import.meta.url).href;

/** Bytes in use after a full collection of garbage. */
interface Usage {
  readonly steps: number;
  readonly rss: number;
  readonly heap: number;
  readonly external: number;
}

/** What every script below begins with: data of 3 domains and a model; `measure` notes a usage. */
const preamble = `${threeDomains(library, [40, 30], [320, 192, 64])}
const batchSize = 32;
const stepsPerPass = counts.reduce((sum, count) => sum + count / batchSize, 0);
const newModel = () => models.mlp({ schema, embeddingDim: 8, hidden: [16, 8], dropout: 0.2, seed: 1 });
const usages = [];
const measure = (steps) => {
  for (let i = 0; i < 4; i++) gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  usages.push({ steps, rss, heap: heapUsed, external });
};
const options = { optimizer: optim.adam({ learningRate: 1e-3 }), batchSize, seed: 1 };
`;

/** Runs a script in a process of its own; it prints its usages at 2,000 steps and at the end. */
async function usagesOf(script: string): Promise<readonly [Usage, Usage]> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--expose-gc',
      '--input-type=module',
      '--eval',
      `${preamble}${script}\nconsole.log(JSON.stringify([usages[0], usages.at(-1)]));`,
    ],
    { cwd: fileURLToPath(new URL('../..', import.meta.url)) },
  );
  return JSON.parse(stdout) as [Usage, Usage];
}

const mebibyte = 2 ** 20;

function expectNoGrowth(name: string, [early, late]: readonly [Usage, Usage]): void {
  const grown = (key: keyof Usage): number => late[key] - early[key];
  const shown = (['rss', 'heap', 'external'] as const).map(
    (key) => `${key} ${(grown(key) / 1024).toFixed(0)} KiB`,
  );
  console.info(`${name}: from step ${early.steps} to ${late.steps} grew ${shown.join(', ')}`);
  expect(early.steps).toBeGreaterThanOrEqual(2000);
  expect(late.steps).toBeGreaterThanOrEqual(10_000);
  // A step that left one kilobyte behind would make 8 MiB.
  expect(grown('rss')).toBeLessThan(6 * mebibyte);
  expect(grown('heap')).toBeLessThan(mebibyte);
  expect(grown('external')).toBeLessThan(mebibyte);
}

describe('10,000 steps leave nothing behind', () => {
  it.each([
    ['alternate', 'strategies.alternate()', 1],
    ['mamdr', 'strategies.mamdr({ helpers: 1 })', 5],
  ])('in one run of %s', async (name, strategy, passesPerEpoch) => {
    const usages = await usagesOf(`
      const perEpoch = ${passesPerEpoch} * stepsPerPass;
      const epochs = Math.ceil(10_500 / perEpoch);
      let due = 2000;
      await fit(newModel(), data, {
        ...options,
        strategy: ${strategy},
        epochs,
        patience: epochs,
        onEvent(event) {
          if (event.kind !== 'epoch') return;
          const steps = (event.epoch + 1) * perEpoch;
          if (steps < due) return;
          measure(steps);
          due += 2000;
        },
      });
    `);
    expectNoGrowth(name, usages);
  });

  it('in one run after another, each with a model of its own', async () => {
    const usages = await usagesOf(`
      let [steps, due] = [0, 2000];
      while (steps < 10_000) {
        const strategy = strategies.mamdr({ helpers: 1 });
        const run = await fit(newModel(), data, { ...options, strategy, epochs: 2, patience: 2 });
        await run.forDomain('b').predict([{ f0: 'v1', f1: 'v2' }]);
        steps += 2 * 5 * stepsPerPass;
        // Finalizers of collected objects run between two turns of the event loop.
        gc();
        await new Promise((resolve) => setImmediate(resolve));
        if (steps < due) continue;
        measure(steps);
        due += 2000;
      }
    `);
    expectNoGrowth('one after another', usages);
  });

  it('in runs that are aborted', async () => {
    const usages = await usagesOf(`
      let [steps, due] = [0, 2000];
      while (steps < 10_000) {
        const controller = new AbortController();
        let epochs = 0;
        await fit(newModel(), data, {
          ...options,
          strategy: strategies.dn(),
          epochs: 100,
          patience: 100,
          signal: controller.signal,
          onEvent(event) {
            if (event.kind === 'epoch' && ++epochs === 10) controller.abort(new Error('stop'));
          },
        }).catch((error) => {
          if (error.message !== 'stop') throw error;
        });
        steps += 10 * stepsPerPass;
        gc();
        await new Promise((resolve) => setImmediate(resolve));
        if (steps < due) continue;
        measure(steps);
        due += 2000;
      }
    `);
    expectNoGrowth('aborted', usages);
  });

  it('in single calls of predict', async () => {
    const usages = await usagesOf(`
      const strategy = strategies.mamdr({ helpers: 1 });
      const run = await fit(newModel(), data, { ...options, strategy, epochs: 1 });
      const scorer = run.forDomain('c');
      for (let call = 1; call <= 10_000; call++) {
        scorer.predictSync({ f0: 'v' + (call % 50), f1: 'v2' });
        if (call % 10 === 0) await scorer.predict([{ f0: 'v1', f1: 'v2' }]);
        if (call % 2000 === 0) measure(call);
      }
    `);
    expectNoGrowth('predict', usages);
  });
});
