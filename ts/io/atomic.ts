import { randomUUID } from 'node:crypto';
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CheckpointError, PolydomainError } from '../errors.js';

/** What a file gets; pieces are asked for while it is written. */
type Content = string | Uint8Array | Iterable<Uint8Array> | ((file: FileHandle) => Promise<void>);

/**
 * Writes a file that exists whole or not at all: beside its place, flushed to the disk, then
 * renamed. Throws CheckpointError (a full disk, a missing folder), or what the content throws, and leaves the old file as it was.
 */
export async function writeFileAtomic(path: string, data: Content): Promise<void> {
  // Through symbolic links; what is no regular file (a pipe, a device) is written to as it is.
  const target = await realpath(path).catch(() => path);
  const existing = await stat(target).catch(() => undefined);
  if (existing && !existing.isFile() && !existing.isDirectory()) {
    return writeInPlace(target, data);
  }
  const temporary = `${target}.${randomUUID()}.writing`;
  try {
    const file = await open(temporary, 'wx');
    try {
      await writeAll(file, data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (cause) {
    // What went wrong first is what counts.
    await rm(temporary, { force: true }).catch(() => {});
    if (cause instanceof PolydomainError) throw cause;
    throw new CheckpointError(
      `'${path}' could not be written: ${(cause as Error).message}; what was there before is untouched`,
      { cause },
    );
  }
  // The file is complete; that its name lasts is as much as the system grants.
  await syncFolder(dirname(target)).catch(() => {});
}

/** The same of a JSON document that people may read. */
export async function writeJsonAtomic(path: string, document: unknown): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(document, null, 2)}\n`);
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}

async function writeInPlace(path: string, data: Content): Promise<void> {
  try {
    const file = await open(path, 'w');
    try {
      await writeAll(file, data);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new CheckpointError(`'${path}' could not be written: ${(cause as Error).message}`, {
      cause,
    });
  }
}

async function writeAll(file: FileHandle, data: Content): Promise<void> {
  if (typeof data === 'string' || data instanceof Uint8Array) return file.writeFile(data);
  if (typeof data === 'function') return data(file);
  for (const piece of joined(data)) await file.writeFile(piece);
}

/** The same bytes in pieces worth a write; the one given last is used before the next is made. */
function* joined(pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  const block = Buffer.allocUnsafe(2 ** 20);
  let filled = 0;
  for (const piece of pieces) {
    if (filled + piece.length > block.length) {
      yield block.subarray(0, filled);
      filled = 0;
    }
    if (piece.length > block.length) yield piece;
    else filled += Buffer.from(piece.buffer, piece.byteOffset, piece.length).copy(block, filled);
  }
  yield block.subarray(0, filled);
}

/** Makes a folder, and those above it. Throws CheckpointError. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeFolders(path);
  } catch (cause) {
    throw new CheckpointError(`'${path}' could not be made: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** Not mkdir's `recursive`, which never ends where a file system has no new folders (/proc). */
async function makeFolders(path: string, parents = true): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    if (code !== 'ENOENT' || !parents) throw error;
    await makeFolders(dirname(path));
    await makeFolders(path, false);
  }
}

/** Tells before long work for a file begins that it would find no place. Throws CheckpointError. */
export async function requirePlace(path: string): Promise<void> {
  const isFolder = async (place: string): Promise<boolean> =>
    (await stat(place).catch(() => undefined))?.isDirectory() === true;
  const refuse = (why: string): never => {
    throw new CheckpointError(`'${path}' could not be written: ${why}`);
  };
  if (path === '') refuse('it has no name; expected the path of a file');
  if (!(await isFolder(dirname(path)))) refuse(`'${dirname(path)}' is no folder; expected one`);
  if (await isFolder(path)) refuse('it is a folder; expected the path of a file');
}

/** Removes what a killed process left of files it had not finished. */
export async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (name.endsWith('.writing')) await rm(join(folder, name), { force: true });
  }
}
