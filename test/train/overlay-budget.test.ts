import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  CheckpointError,
  ConfigError,
  type FitEvent,
  fit,
  load,
  optim,
  strategies,
} from '../../ts/index.js';
import { errorOf } from '../error-of.js';
import { temporaryFolder } from '../folder.js';
import { toyData, toyModel } from '../toy.js';

const path = temporaryFolder();
const data = toyData();
const settings = {
  strategy: strategies.mamdr({ helpers: 2 }),
  optimizer: optim.adam({ learningRate: 1e-2 }),
  batchSize: 32,
  epochs: 2,
};

afterEach(() => vi.unstubAllEnvs());

/** The bytes of every file of own values. */
async function specificOf(runFolder: string): Promise<Map<string, string>> {
  const files = await readdir(join(runFolder, 'specific'));
  const contents = files.map(async (file): Promise<[string, string]> => {
    return [file, (await readFile(join(runFolder, 'specific', file))).toString('base64')];
  });
  return new Map(await Promise.all(contents));
}

describe("a budget for domains' own values", () => {
  it('leaves run folders as they are without, and nothing beside them', async () => {
    await fit(toyModel(data), data, { ...settings, runFolder: path('plain') });
    await fit(toyModel(data), data, { ...settings, runFolder: path('file'), overlayBudget: 0 });
    const plain = await specificOf(path('plain'));
    expect(plain.size).toBeGreaterThan(3);
    expect(await specificOf(path('file'))).toEqual(plain);
    expect((await readdir(path('file'))).sort()).toEqual((await readdir(path('plain'))).sort());
  });

  it('serves a loaded model, and what is saved of it again', async () => {
    vi.stubEnv('TMPDIR', path());
    const result = await fit(toyModel(data), data, { ...settings, runFolder: path('run') });
    const loaded = await load(path('run'), { overlayBudget: 1000 });
    const row = { user: 'v3', item: 'v7' };
    for (const domain of data.schema.domains) {
      expect(loaded.forDomain(domain).predictSync(row)).toBe(
        result.forDomain(domain).predictSync(row),
      );
    }
    expect(await readdir(path())).toEqual(['run']);
  });

  it('goes on with a model that has own values already', async () => {
    const budgets = [
      [undefined, undefined],
      [0, 0],
      [undefined, 0],
      [0, undefined],
    ] as const;
    const scores = await Promise.all(
      budgets.map(async ([first, second]) => {
        const model = toyModel(data);
        await fit(model, data, { ...settings, overlayBudget: first });
        const { metrics } = await fit(model, data, { ...settings, overlayBudget: second });
        return metrics;
      }),
    );
    expect(scores.slice(1)).toEqual(scores.slice(1).map(() => scores[0]));
  });

  it('tells what to expect of memory and of the disk', async () => {
    const start = async (overlayBudget?: number) => {
      const events: FitEvent[] = [];
      const onEvent = (event: FitEvent) => events.push(event);
      await fit(toyModel(data), data, { ...settings, epochs: 1, overlayBudget, onEvent });
      const [event] = events;
      return event?.kind === 'start' ? [event.expectedBytes, event.expectedFileBytes] : [];
    };
    const [all = 0, none] = await start();
    const [shared = 0, file = 0] = await start(0);
    expect(none).toBe(0);
    expect(file).toBeGreaterThan(10_000);
    expect(all).toBe(shared + file);
    expect(await start(1000)).toEqual([shared + 1000, file]);
  });

  it('needs a folder for the file', async () => {
    vi.stubEnv('TMPDIR', path('nowhere'));
    const error = await errorOf(() => fit(toyModel(data), data, { ...settings, overlayBudget: 0 }));
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toContain(path('nowhere'));
    expect(error.message).toMatch(/room for a file of \d+ bytes/);
  });

  it('is checked', async () => {
    const error = await errorOf(() => load(path(), { overlayBudget: -1 }));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain('load.overlayBudget');
  });
});
