import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../folder.js';

const url = (file: string): string =>
  JSON.stringify(new URL(`../../${file}`, import.meta.url).href);
const path = temporaryFolder();

/** The most bytes that are resident in a process that trains an epoch on so many rows on disk. */
async function peakOf(rows: number): Promise<{ peak: number; file: number }> {
  const folder = path(`${rows}`);
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '--eval',
    `import { Dataset, fit, models, optim, strategies } from ${url('dist/esm/index.js')};
     import { peakBytes } from ${url('benchmarks/peers/memory.mjs')};
     const data = await Dataset.open({ source: ${JSON.stringify(folder)}, dataBudget: 2 ** 20 });
     const model = models.mlp({ schema: data.schema, embeddingDim: 1, hidden: [4], seed: 1 });
     await fit(model, data, {
       strategy: strategies.alternate(), optimizer: optim.sgd({}), batchSize: 4096, epochs: 1, seed: 1,
     });
     console.log(peakBytes());`,
  ]);
  const { size } = await stat(join(folder, 'dataset.safetensors'));
  return { peak: Number(stdout), file: size };
}

it('takes no more memory for more rows on disk, also to score them', async () => {
  const { writeSynthetic } = (await import('../../benchmarks/synthetic.mjs' as string)) as {
    writeSynthetic(folder: string, rows: number, heldOut: number): Promise<void>;
  };
  const [few, many] = [250_000, 4_000_000];
  for (const rows of [few, many]) await writeSynthetic(path(`${rows}`), rows, 1000);
  const less = await peakOf(few);
  const more = await peakOf(many);
  const grown = (more.peak - less.peak) / 2 ** 20;
  const added = (more.file - less.file) / 2 ** 20;
  console.info(`${added.toFixed(0)} MiB more of rows, ${grown.toFixed(1)} MiB more of memory`);
  expect(added).toBeGreaterThan(40);
  expect(grown).toBeLessThan(added / 4);
}, 120_000);
