import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { CheckpointError, Dataset, fit, load, optim, strategies } from '../../ts/index.js';
import {
  readVocabulary,
  type StoredVocabulary,
  writeVocabulary,
} from '../../ts/io/vocabulary-file.js';
import { errorOf } from '../error-of.js';
import { temporaryFolder } from '../folder.js';
import { toyData, toyModel } from '../toy.js';

const path = temporaryFolder();
const file = () => path('vocabulary.jsonl');

// Whatever JSON escapes, or might take for the end of a line, and half of a pair of UTF-16.
const odd = ['', 'a "b" \\', 'two\nlines', '\u2028\r\n\u2029', 'größe 大', '😀', '\ud83d', '0'];
const values = [odd, [], ['x'], Array.from({ length: 1000 }, (_, i) => `v${i}`)];
const usage = {
  generation: 3,
  tables: values.map((own, t) => ({
    lastSeen: own.map((_, i) => (i + t) % 4),
    count: own.map((_, i) => i * 1000 + t),
  })),
};

describe('a vocabulary', () => {
  it.each([1, 2, 8, 1000, undefined])('is read as it was written, %s values a line', async (n) => {
    for (const own of [{ values }, { values, usage }, { values: [] }] as StoredVocabulary[]) {
      await writeVocabulary(path(), own, n);
      expect(await readVocabulary(path())).toEqual(own);
    }
  });

  it('has lines that each are read by themselves', async () => {
    await writeVocabulary(path(), { values, usage }, 100);
    const lines = (await readFile(file(), 'utf8')).split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.map((line) => JSON.parse(line).values?.length)).toEqual([
      undefined,
      8,
      1,
      ...Array(10).fill(100),
    ]);
  });

  const changes: Record<string, readonly [(text: string) => string, RegExp]> = {
    empty: [() => '', /it is empty/],
    'cut within a line': [(text) => text.slice(0, -5), /it ends early/],
    'without a line': [(text) => text.replace(/.*\n$/, ''), /table 3 has 900 of 1000 values/],
    'with a line twice': [(text) => text + text.slice(text.indexOf('\n') + 1), /more values/],
    'of another version': [(text) => text.replace('"version":2', '"version":9'), /version/],
    'of something else': [(text) => text.replace('"v7"', '7'), /values/],
    'without usage in a line': [
      (text) => text.replace(/,"lastSeen":\[[^\]]*\]/, ''),
      /or another usage/,
    ],
  };
  it.each(Object.entries(changes))('%s is refused', async (_, [change, message]) => {
    await writeVocabulary(path(), { values, usage }, 100);
    await writeFile(file(), change(await readFile(file(), 'utf8')));
    const error = await errorOf(() => readVocabulary(path()));
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toContain(file());
    expect(error.message).toMatch(message);
  });
});

describe('folders of the first version', () => {
  it('of a run are loaded', async () => {
    const data = toyData();
    const run = await fit(toyModel(data), data, {
      strategy: strategies.alternate(),
      optimizer: optim.adam(),
      epochs: 1,
    });
    await run.save(path('run'));
    const rows = [1, 2, 25].map((n) => ({ domain: 'd1', user: `v${n}`, item: `v${n + 1}` }));
    const scores = await (await load(path('run'))).predict(rows);
    const { values, usage } = await readVocabulary(path('run'));
    const older = { format: 'polydomain-vocabulary', version: 1, values, usage };
    await rm(path('run', 'vocabulary.jsonl'));
    await writeFile(path('run', 'vocabulary.json'), JSON.stringify(older));
    expect(await (await load(path('run'))).predict(rows)).toEqual(scores);
  });

  it('of data are opened', async () => {
    const data = toyData();
    await data.save(path('data'));
    const schema = JSON.parse(await readFile(path('data', 'schema.json'), 'utf8'));
    const { values } = await readVocabulary(path('data'));
    await rename(path('data', 'vocabulary.jsonl'), path('gone'));
    await writeFile(
      path('data', 'schema.json'),
      JSON.stringify({ ...schema, vocabularies: values }),
    );
    const opened = await Dataset.open(path('data'));
    expect(opened.vocabulary).toEqual(data.vocabulary);
  });
});
