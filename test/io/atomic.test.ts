import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../ts/index.js';
import { writeFileAtomic } from '../../ts/io/atomic.js';
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
