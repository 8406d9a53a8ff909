import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CheckpointError, ConfigError, fit, load, optim, strategies } from '../../ts/index.js';
import { errorOf } from '../error-of.js';
import { toyData, toyModel } from '../toy.js';

const data = toyData([60, 40]);
const options = {
  strategy: strategies.mamdr({ helpers: 1 }),
  optimizer: optim.adam(),
  batchSize: 32,
  epochs: 1,
};
const users = 'specific/embedding.user.weight.safetensors';
let folder = '';
let whole = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polydomain-'));
  whole = join(folder, 'whole');
  await fit(toyModel(data), data, { ...options, runFolder: whole });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A copy of the run folder with another content of one file. */
async function damaged(name: string, spoil: (content: Buffer) => Buffer | string): Promise<string> {
  const copy = join(folder, 'damaged');
  await rm(copy, { recursive: true, force: true });
  await cp(whole, copy, { recursive: true });
  await writeFile(join(copy, name), spoil(await readFile(join(copy, name))));
  return copy;
}

/** Sets a value of a tensor, as the 32 bits that it has. */
function withValue(tensor: string, at: number, bits: number) {
  return (file: Buffer): Buffer => {
    const begin = 8 + Number(file.readBigUInt64LE(0));
    const header = JSON.parse(file.toString('utf8', 8, begin)) as Record<
      string,
      { data_offsets: [number, number] }
    >;
    const [offset] = header[tensor]?.data_offsets ?? [Number.NaN];
    file.writeUInt32LE(bits, begin + offset + 4 * at);
    return file;
  };
}

const nan = 0x7fc00000;
const infinity = 0x7f800000;

describe('a run folder with damaged values', () => {
  it.for([
    ['own values that overlap', users, withValue('offsets', 1, 1_000_000), /does not fit/],
    [
      'own values from before the first',
      users,
      withValue('offsets', 1, 0xffffffff),
      /does not fit/,
    ],
    ['own values that none has', users, withValue('offsets', 0, 1), /does not fit/],
    [
      'an own value that is no number',
      users,
      withValue('values', 3, nan),
      /value 3 of 'values' is NaN/,
    ],
    ['a weight that is no number', 'model.safetensors', withValue('bias', 0, nan), /'bias' is NaN/],
    [
      'a weight without end',
      'model.safetensors',
      withValue('output.weight', 1, infinity),
      /value 1 of 'output.weight' is Infinity/,
    ],
  ] as const)('%s is refused', async ([_, name, spoil, message]) => {
    const copy = await damaged(name, spoil);
    const error = await errorOf(() => load(copy));
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toMatch(message);
    // A warm start reads the same.
    await expect(fit(toyModel(data), data, { ...options, from: copy })).rejects.toThrow(message);
  });
});

/** Places of a text, one for each three bytes in a row that it has; all digits count as one. */
function differentPlaces(text: Buffer): number[] {
  const places = new Map<string, number>();
  const letters = text.toString('latin1').replaceAll(/\d/g, '0');
  for (let at = 0; at < text.length; at++) {
    places.set(letters.slice(Math.max(0, at - 1), at + 2), at);
  }
  return [...places.values()];
}

describe('a run folder with any byte of its texts damaged', () => {
  it.for(['model.json', 'vocabulary.jsonl', 'model.safetensors', users])(
    'is told, if it does not load all the same: %s',
    async (name) => {
      const copy = await damaged(name, (content) => content);
      const content = await readFile(join(copy, name));
      const isText = !name.endsWith('.safetensors');
      const end = isText ? content.length : 8 + Number(content.readBigUInt64LE(0));
      const untyped = new Set<string>();
      let refused = 0;
      for (const at of differentPlaces(content.subarray(0, end))) {
        const spoilt = Buffer.from(content);
        spoilt[at] = spoilt[at] === 120 ? 121 : 120;
        await writeFile(join(copy, name), spoilt);
        await load(copy).catch((error: unknown) => {
          refused++;
          if (error instanceof CheckpointError || error instanceof ConfigError) return;
          untyped.add(`byte ${at}: ${String(error)}`);
        });
      }
      expect([...untyped]).toEqual([]);
      expect(refused).toBeGreaterThan(20);
    },
  );

  it
    .runIf(existsSync('/proc/self/fd'))
    .each(['model.json', 'vocabulary.jsonl', 'model.safetensors', users])(
    'leaves no file open: %s',
    async (name) => {
      const copy = await damaged(name, (content) => `x${content.toString('latin1')}`);
      const openFiles = () =>
        readdirSync('/proc/self/fd').filter((file) => {
          try {
            return readlinkSync(`/proc/self/fd/${file}`).startsWith(copy);
          } catch {
            return false;
          }
        });
      expect(await errorOf(() => load(copy))).toBeInstanceOf(CheckpointError);
      expect(openFiles()).toEqual([]);
    },
  );
});

describe('a damaged progress.json', () => {
  const edited = (edit: (progress: Record<string, unknown>) => unknown) => (content: Buffer) => {
    const progress = JSON.parse(content.toString()) as Record<string, unknown>;
    return JSON.stringify(edit(progress));
  };
  it.for([
    ['nothing', () => null, /cannot be read/],
    ['another version', (own: object) => ({ ...own, version: 2 }), /version: 2; expected 1/],
    ['no name of the state', (own: object) => ({ ...own, native: undefined }), /native: missing/],
    ['no history', (own: object) => ({ ...own, history: undefined }), /history: missing/],
    ['sums of another kind', (own: object) => ({ ...own, losses: null }), /losses: null/],
    ['a stage that there is none of', (own: object) => ({ ...own, stage: 7 }), /finished: \[\]/],
    [
      'half a record',
      (own: object) => ({ ...own, stage: 1, finished: [null] }),
      /finished\.0: null/,
    ],
    ['a split that is no list', (own: object) => ({ ...own, split: 'x' }), /split: "x"/],
  ] as const)('%s is refused', async ([_, edit, message]) => {
    const copy = await damaged('checkpoints/progress.json', edited(edit));
    const again = { ...options, epochs: 2, runFolder: copy, resume: true };
    const error = await errorOf(() => fit(toyModel(data), data, again));
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toMatch(message);
  });

  it('goes on from a whole one', async () => {
    const copy = await damaged('checkpoints/progress.json', (content) => content);
    const again = { ...options, epochs: 2, runFolder: copy, resume: true };
    expect((await fit(toyModel(data), data, again)).history).toHaveLength(2);
  });
});
