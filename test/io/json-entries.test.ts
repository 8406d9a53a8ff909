import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../../ts/errors.js';
import { entriesIn } from '../../ts/io/json-entries.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polydomain-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(text: string, bytesAtOnce?: number) {
  const path = join(folder, 'object.json');
  await writeFile(path, text);
  return [...entriesIn(path, 'numbers', bytesAtOnce)].flat();
}

describe('the entries of a JSON object', () => {
  const object = {
    b: [1, -2.5e-3, null, [true, { x: '}' }]],
    '': 'é\u{1f600}\\" ,:{}[]\n',
    'a:"b\\",{': { nested: { deep: [1, [2, ':']] }, empty: {} },
    none: null,
    '7': 7,
  };

  it.each([1, 2, 3, 7, 64, undefined])(
    'are those of JSON.parse, read %s bytes at a time',
    async (bytesAtOnce) => {
      const expected = Object.entries(object);
      for (const blanks of [0, 2]) {
        const own = await read(`\n ${JSON.stringify(object, null, blanks)}\r\n`, bytesAtOnce);
        expect(own).toHaveLength(expected.length);
        expect(Object.fromEntries(own)).toEqual(object);
      }
      expect(await read('{"b": 1, "a": 2, "b": 3}', bytesAtOnce)).toEqual([
        ['b', 1],
        ['a', 2],
        ['b', 3],
      ]);
      expect(await read(' { } ', bytesAtOnce)).toEqual([]);
    },
  );

  it('come in pieces', async () => {
    const path = join(folder, 'pieces.json');
    const all = Array.from({ length: 1000 }, (_, i) => [`key ${i}`, [i, i / 2]]);
    await writeFile(path, JSON.stringify(Object.fromEntries(all)));
    const pieces = [...entriesIn(path, 'numbers', 1000)];
    expect(pieces.length).toBeGreaterThan(15);
    expect(pieces.flat()).toEqual(all);
  });

  it.each([
    '',
    '{',
    '{"a": 1',
    '{"a": 1,}',
    '{,}',
    '{"a"}',
    '{"a", 1}',
    '{"a": 1: 2}',
    '{"a": 1 "b": 2}',
    '{"a": }',
    '{: 1}',
    '{7: 1}',
    '{"a": 1]',
    '{"a": [1}}',
    '{"a": 1}}',
    '{"a": 1} {"b": 2}',
    '{"a": "open}',
    '{"a": nul}',
  ])('are refused where the text is no object: %s', async (text) => {
    expect(() => JSON.parse(text)).toThrow();
    for (const bytesAtOnce of [1, 3, undefined]) {
      const reading = read(text, bytesAtOnce);
      await expect(reading).rejects.toThrow(DataError);
      await expect(reading).rejects.toThrow(
        /object\.json' cannot be read as JSON: .*; expected numbers$/,
      );
    }
  });

  it.each(['[1, 2]', '"text"', '7', 'null'])('are refused of another value: %s', async (text) => {
    await expect(read(text)).rejects.toThrow(/object\.json' holds no object; expected numbers$/);
  });

  it('are refused of a file that is missing', () => {
    const reading = () => [...entriesIn(join(folder, 'none.json'), 'numbers')];
    expect(reading).toThrow(DataError);
    expect(reading).toThrow(/none\.json' cannot be read as JSON: ENOENT/);
  });
});
