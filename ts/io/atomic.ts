import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CheckpointError } from '../errors.js';

/**
 * Writes a file that exists whole or not at all: beside its place, flushed to the disk, then
 * renamed. Throws CheckpointError (a full disk, a missing folder) and leaves the old file as it was.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array | readonly Uint8Array[],
): Promise<void> {
  const temporary = `${path}.${randomUUID()}.writing`;
  try {
    const file = await open(temporary, 'wx');
    try {
      if (typeof data === 'string' || data instanceof Uint8Array) await file.writeFile(data);
      else for (const piece of data) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    const folder = await open(dirname(path), 'r');
    await folder.sync();
    await folder.close();
  } catch (cause) {
    // What went wrong first is what counts.
    await rm(temporary, { force: true }).catch(() => {});
    throw new CheckpointError(
      `'${path}' could not be written: ${(cause as Error).message}; what was there before is untouched`,
      { cause },
    );
  }
}

/** Makes a folder, and those above it. Throws CheckpointError. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    throw new CheckpointError(`'${path}' could not be made: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** Removes what a killed process left of files it had not finished. */
export async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (name.endsWith('.writing')) await rm(join(folder, name), { force: true });
  }
}
