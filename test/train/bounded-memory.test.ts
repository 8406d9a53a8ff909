import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../folder.js';

const url = (file: string): string =>
  JSON.stringify(new URL(`../../${file}`, import.meta.url).href);
const path = temporaryFolder();
const mebibyte = 2 ** 20;

/** The most MiB that are resident in a process of its own that runs a script. */
async function peakOf(script: string): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '--eval',
    `import { Dataset, fit, models, optim, strategies } from ${url('dist/esm/index.js')};
     import { clicks } from ${url('benchmarks/generated.mjs')};
     import { peakBytes } from ${url('benchmarks/peers/memory.mjs')};
     const options = { optimizer: optim.sgd({}), epochs: 1, seed: 1 };
     ${script}
     console.log(peakBytes());`,
  ]);
  return Number(stdout) / mebibyte;
}

it('more rows on disk take no more memory, neither to train on nor to score', async () => {
  const { writeSynthetic } = (await import('../../benchmarks/synthetic.mjs' as string)) as {
    writeSynthetic(folder: string, rows: number, heldOut: number): Promise<void>;
  };
  const sides = await Promise.all(
    [250_000, 4_000_000].map(async (rows) => {
      const source = path(`${rows}`);
      await writeSynthetic(source, rows, 1000);
      const memory = await peakOf(`
        const data = await Dataset.open(${JSON.stringify({ source, dataBudget: mebibyte })});
        const model = models.mlp({ schema: data.schema, embeddingDim: 1, hidden: [4], seed: 1 });
        await fit(model, data, { ...options, strategy: strategies.alternate(), batchSize: 4096 });`);
      const { size } = await stat(join(source, 'dataset.safetensors'));
      return { memory, file: size / mebibyte };
    }),
  );
  const [few, many] = sides as [(typeof sides)[0], (typeof sides)[0]];
  const grown = many.memory - few.memory;
  const added = many.file - few.file;
  console.info(`${added.toFixed(0)} MiB more of rows, ${grown.toFixed(1)} MiB more of memory`);
  expect(added).toBeGreaterThan(40);
  expect(grown).toBeLessThan(added / 4);
}, 120_000);

it("domains' own values beyond their budget take no memory", async () => {
  // 0.55 MiB of own values in a domain, less what training leaves as it was.
  const domains = 300;
  const train = (overlayBudget: string) =>
    peakOf(`
      const few = Array(${domains}).fill(2);
      const data = clicks([few, few, few], 100, 100);
      const model = models.mlp({ schema: data.schema, embeddingDim: 128, hidden: [256, 128, 64], seed: 1 });
      const strategy = strategies.mamdr({ helpers: 1 });
      await fit(model, data, { ...options, strategy, overlayBudget: ${overlayBudget} });`);
  const unlimited = await train('undefined');
  const limited = await train(`${4 * mebibyte}`);
  console.info(`${unlimited.toFixed(0)} MiB without a budget, ${limited.toFixed(0)} with one`);
  expect(unlimited - limited).toBeGreaterThan(0.3 * domains);
}, 120_000);
