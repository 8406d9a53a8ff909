import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../ts/index.js';
import { makeFolder, requirePlace, writeFileAtomic } from '../../ts/io/atomic.js';
import { errorOf } from '../error-of.js';
import { temporaryFolder } from '../folder.js';

const path = temporaryFolder();

async function expectError(attempt: () => unknown, ...told: readonly string[]): Promise<void> {
  const error = await errorOf(attempt);
  expect(error).toBeInstanceOf(CheckpointError);
  expect(error.cause).toBeInstanceOf(Error);
  for (const text of ['could not be written', ...told]) expect(error.message).toContain(text);
}

describe('a file written whole or not at all', () => {
  it('has the text, bytes or pieces that were given', async () => {
    const bytes = new Uint8Array([9, 1, 2, 9]).subarray(1, 3);
    await writeFileAtomic(path('text'), 'größe');
    await writeFileAtomic(path('bytes'), bytes);
    await writeFileAtomic(path('pieces'), [bytes, new Uint8Array(), bytes]);
    expect(await readFile(path('text'), 'utf8')).toBe('größe');
    expect([...(await readFile(path('bytes')))]).toEqual([1, 2]);
    expect([...(await readFile(path('pieces')))]).toEqual([1, 2, 1, 2]);
    expect((await readdir(path())).sort()).toEqual(['bytes', 'pieces', 'text']);
  });

  it('takes the place of the old file', async () => {
    await writeFile(path('file'), 'what was there before');
    await writeFileAtomic(path('file'), 'new');
    expect(await readFile(path('file'), 'utf8')).toBe('new');
    expect(await readdir(path())).toEqual(['file']);
  });

  it('is one of those that were written at the same time', async () => {
    const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(1000));
    await Promise.all(texts.map((text) => writeFileAtomic(path('file'), text)));
    expect(texts).toContain(await readFile(path('file'), 'utf8'));
    expect(await readdir(path())).toEqual(['file']);
  });

  it('is still the old one after a write that failed halfway', async () => {
    await writeFile(path('file'), 'what was there before');
    const pieces = [new Uint8Array(1000), 5 as unknown as Uint8Array];
    await expectError(() => writeFileAtomic(path('file'), pieces), path('file'), 'untouched');
    expect(await readFile(path('file'), 'utf8')).toBe('what was there before');
    expect(await readdir(path())).toEqual(['file']);
  });

  it('does not begin to be there when its write fails', async () => {
    const pieces = [new Uint8Array(1000), 5 as unknown as Uint8Array];
    await expectError(() => writeFileAtomic(path('file'), pieces), path('file'));
    expect(await readdir(path())).toEqual([]);
  });

  it('does not take the place of a folder', async () => {
    await mkdir(path('folder'));
    await writeFile(path('folder', 'file'), 'what was there before');
    await expectError(() => writeFileAtomic(path('folder'), 'new'), path('folder'));
    expect(await readFile(path('folder', 'file'), 'utf8')).toBe('what was there before');
    expect(await readdir(path())).toEqual(['folder']);
  });

  it('needs a folder', async () => {
    await expectError(() => writeFileAtomic(path('nowhere', 'file'), 'new'), 'ENOENT');
    await writeFile(path('file'), 'what was there before');
    await expectError(() => writeFileAtomic(path('file', 'file'), 'new'), 'ENOTDIR');
    expect(await readdir(path())).toEqual(['file']);
  });
});

describe('a folder', () => {
  it('is made with those above it, once or again', async () => {
    await Promise.all(Array.from({ length: 5 }, () => makeFolder(path('a', 'b', 'c'))));
    await makeFolder(path('a', 'b', 'c'));
    expect(await readdir(path('a', 'b'))).toEqual(['c']);
  });

  it('is refused below a file, and in place of one', async () => {
    await writeFile(path('file'), '');
    for (const place of [path('file'), path('file', 'below')]) {
      await expect(makeFolder(place)).rejects.toThrow(CheckpointError);
    }
  });

  // mkdir's own `recursive` never comes back from there.
  it.runIf(existsSync('/proc/self'))('is refused where a file system has none', async () => {
    await expect(makeFolder('/proc/polydomain/run')).rejects.toThrow(
      /'\/proc\/polydomain\/run' could/,
    );
  });
});

it('the place of a file is looked at before work for it begins', async () => {
  await requirePlace(path('file'));
  await mkdir(path('folder'));
  await expect(requirePlace(path('folder'))).rejects.toThrow(
    /'.*folder' could not.*it is a folder/,
  );
  await expect(requirePlace(path('no', 'file'))).rejects.toThrow(
    /file' could not.*no' is no folder/,
  );
});
