import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { z } from 'zod';
import { CheckpointError } from '../errors.js';
import { suggest } from '../nearest.js';
import { elementCount } from '../tensor/shape.js';
import { writeFileAtomic } from './atomic.js';

type Values = Float32Array | Int32Array | Uint32Array;

/** A tensor to store: its values, and its shape when that is not one-dimensional. */
export interface Stored {
  readonly data: Values;
  readonly shape: readonly number[];
}

/** The same with its values in pieces, which are asked for while it is written. */
export interface Streamed {
  readonly dtype: 'F32' | 'I32' | 'U32';
  readonly shape: readonly number[];
  readonly pieces: () => Iterable<Values>;
}

const dtypes = new Map<string, new (bytes: ArrayBuffer) => Values>([
  ['F32', Float32Array],
  ['I32', Int32Array],
  ['U32', Uint32Array],
]);

const size = z.int().gte(0);
const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(size),
  data_offsets: z.tuple([size, size]),
});
const headerSchema = z
  .object({ __metadata__: z.record(z.string(), z.string()).optional() })
  .catchall(entrySchema);

function dtypeOf(values: Values): Streamed['dtype'] {
  return values instanceof Float32Array ? 'F32' : values instanceof Int32Array ? 'I32' : 'U32';
}

function streamed(tensor: Values | Stored | Streamed): Streamed {
  if ('pieces' in tensor) return tensor;
  const { data, shape } = 'shape' in tensor ? tensor : { data: tensor, shape: [tensor.length] };
  return { dtype: dtypeOf(data), shape, pieces: () => [data] };
}

/** Writes tensors in the safetensors format, whole or not at all. */
export async function writeTensors(
  path: string,
  tensors: ReadonlyMap<string, Values | Stored | Streamed>,
): Promise<void> {
  const all = new Map([...tensors].map(([name, tensor]) => [name, streamed(tensor)]));
  const { head, bytes: total } = layoutOf(all);
  function* bytes(): Generator<Uint8Array> {
    yield head;
    let left = total - head.length;
    for (const { pieces } of all.values()) {
      for (const { buffer, byteOffset, byteLength } of pieces()) {
        yield new Uint8Array(buffer, byteOffset, byteLength);
        left -= byteLength;
      }
    }
    if (left !== 0) throw new Error(`its values changed while they were written`);
  }
  await writeFileAtomic(path, bytes());
}

type Shapes = ReadonlyMap<string, Pick<Streamed, 'dtype' | 'shape'>>;

/** The head of a file of such tensors, where each of them begins in it, and its bytes. */
function layoutOf(tensors: Shapes): {
  readonly head: Buffer;
  readonly begins: ReadonlyMap<string, number>;
  readonly bytes: number;
} {
  const header: Record<string, unknown> = {};
  const offsets = new Map<string, number>();
  let offset = 0;
  for (const [name, { dtype, shape }] of tensors) {
    const end = offset + 4 * elementCount(shape);
    header[name] = { dtype, shape, data_offsets: [offset, end] };
    offsets.set(name, offset);
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  // Blanks up to a multiple of 8 bytes keep the values aligned.
  const head = Buffer.alloc(8 + 8 * Math.ceil(json.length / 8), ' ');
  head.writeBigUInt64LE(BigInt(head.length - 8));
  json.copy(head, 8);
  const begins = new Map([...offsets].map(([name, at]) => [name, head.length + at]));
  return { head, begins, bytes: head.length + offset };
}

/**
 * Writes tensors whose values come in any order, whole or not at all: `fill` writes them into the file
 * from where `beginOf` tells on.
 */
export async function fillTensors(
  path: string,
  tensors: Shapes,
  fill: (file: FileHandle, beginOf: (name: string) => number) => Promise<void>,
): Promise<void> {
  const { head, begins, bytes } = layoutOf(tensors);
  await writeFileAtomic(path, async (file) => {
    await file.writeFile(head);
    await fill(file, (name) => begins.get(name) as number);
    const { size } = await file.stat();
    if (size !== bytes) throw new Error(`${size} bytes were written; expected ${bytes}`);
  });
}

/** Reads a safetensors file. Throws CheckpointError when it is missing, truncated or foreign. */
export async function readTensors(path: string): Promise<Map<string, Values>> {
  const file = await TensorFile.open(path);
  try {
    const tensors = new Map<string, Values>();
    for (const name of file.names) tensors.set(name, await file.read(name));
    return tensors;
  } finally {
    await file.close();
  }
}

/** One tensor of a safetensors file whose values are read a piece at a time, before anything else goes on. */
export class TensorPieces {
  private constructor(
    private readonly path: string,
    private readonly entry: Entry,
  ) {}

  /**
   * Finds tensor `name`, by default the only one. Throws CheckpointError when the file is missing, truncated
   * or foreign, or does not hold it.
   */
  static of(path: string, name?: string): TensorPieces {
    const fail = failing(path);
    const entries = withFile(path, (file) => {
      const total = fstatSync(file).size;
      if (total < 8) fail('has no header');
      const size = headerSizeOf(readRangeSync(file, 8, 0), total, fail);
      return parseHeader(readRangeSync(file, size, 8), total, fail);
    });
    const only = entries.size === 1 ? [...entries.keys()][0] : undefined;
    const entry = entries.get(name ?? only ?? '');
    if (entry) return new TensorPieces(path, entry);
    const known = [...entries.keys()];
    throw new CheckpointError(
      name === undefined
        ? `'${path}' holds ${known.length} tensors; expected the name of one of ${known.join(', ')}`
        : `'${path}' holds no tensor '${name}'${suggest(name, known)}`,
    );
  }

  get shape(): readonly number[] {
    return this.entry.shape;
  }

  get dtype(): string {
    return this.entry.dtype;
  }

  /** All values, `size` of them at a time. Throws CheckpointError. */
  *read(size: number): Generator<Values> {
    const { begin, count, type } = this.entry;
    for (let at = 0; at < count; at += size) {
      const bytes = 4 * Math.min(size, count - at);
      // Opened anew, so that it is not left open where others stop asking.
      const { buffer } = withFile(this.path, (file) => readRangeSync(file, bytes, begin + 4 * at));
      yield new type(buffer as ArrayBuffer);
    }
  }
}

function withFile<Result>(path: string, body: (file: number) => Result): Result {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    return body(file);
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    return failing(path)(`cannot be read (${(cause as Error).message})`, cause);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

interface Entry {
  readonly dtype: string;
  readonly type: new (bytes: ArrayBuffer) => Values;
  readonly shape: readonly number[];
  readonly count: number;
  /** Where its bytes begin in the file. */
  readonly begin: number;
}

/** A safetensors file whose values are read as they are needed. */
export class TensorFile {
  private constructor(
    readonly path: string,
    /** Of the whole file. */
    readonly bytes: number,
    /** Nanoseconds since 1970. */
    readonly modified: bigint,
    private readonly file: FileHandle,
    private readonly entries: ReadonlyMap<string, Entry>,
  ) {}

  /** Throws CheckpointError when it is missing, truncated or foreign. */
  static async open(path: string): Promise<TensorFile> {
    const fail = failing(path);
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'r');
      const { size, mtimeNs } = await file.stat({ bigint: true });
      const bytes = Number(size);
      return new TensorFile(path, bytes, mtimeNs, file, await readEntries(file, bytes, fail));
    } catch (cause) {
      await file?.close();
      if (cause instanceof CheckpointError) throw cause;
      return fail(`cannot be read (${(cause as Error).message})`, cause);
    }
  }

  get names(): IterableIterator<string> {
    return this.entries.keys();
  }

  /** Number of values; undefined of a tensor that it does not hold. */
  count(name: string): number | undefined {
    return this.entries.get(name)?.count;
  }

  /**
   * Where a tensor of values of this type begins in the file, and how many it has. Throws
   * CheckpointError.
   */
  place(name: string, dtype: 'F32' | 'I32'): { readonly begin: number; readonly count: number } {
    const entry = this.entries.get(name);
    if (entry?.type === dtypes.get(dtype)) return entry as Entry;
    throw new CheckpointError(`'${this.path}' has no tensor '${name}' of ${dtype}`);
  }

  /** Values from `from` to before `to`. Throws CheckpointError. */
  async read(name: string, from = 0, to = this.count(name) ?? 0): Promise<Values> {
    const entry = this.entries.get(name);
    if (!entry || from < 0 || from > to || to > entry.count) {
      throw new CheckpointError(
        `'${this.path}' has ${entry?.count ?? 'no'} values of '${name}'; expected ${from} to ${to}`,
      );
    }
    const bytes = new Uint8Array(4 * (to - from));
    try {
      await readRange(this.file, bytes, entry.begin + 4 * from);
    } catch (cause) {
      const why = `cannot be read (${(cause as Error).message})`;
      throw new CheckpointError(`'${this.path}' ${why}; expected a safetensors file`, { cause });
    }
    return new entry.type(bytes.buffer);
  }

  /** Writes all of its bytes to another file. */
  async copyTo(file: FileHandle): Promise<void> {
    const piece = Buffer.allocUnsafe(2 ** 20);
    for (let at = 0; at < this.bytes; at += piece.length) {
      const bytes = piece.subarray(0, Math.min(piece.length, this.bytes - at));
      await readRange(this.file, bytes, at);
      await file.writeFile(bytes);
    }
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

/** Bytes of one read. */
const mostAtOnce = 2 ** 30;

/** Fills `bytes` from a place in the file: files may be larger than one read, or one buffer. */
async function readRange(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const part = Math.min(mostAtOnce, bytes.length - at);
    const { bytesRead } = await file.read(bytes, at, part, position + at);
    if (bytesRead === 0) throw new Error('it ends early');
    at += bytesRead;
  }
}

function readRangeSync(file: number, size: number, position: number): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(size));
  for (let at = 0; at < size; ) {
    const count = readSync(file, bytes, at, size - at, position + at);
    if (count === 0) throw new Error('it ends early');
    at += count;
  }
  return bytes;
}

async function readEntries(
  file: FileHandle,
  total: number,
  fail: Fail,
): Promise<Map<string, Entry>> {
  const length = Buffer.alloc(8);
  if (total < 8) fail('has no header');
  await readRange(file, length, 0);
  const text = Buffer.alloc(headerSizeOf(length, total, fail));
  await readRange(file, text, 8);
  return parseHeader(text, total, fail);
}

type Fail = (why: string, cause?: unknown) => never;

function failing(path: string): Fail {
  return (why, cause) => {
    throw new CheckpointError(`'${path}' ${why}; expected a safetensors file`, { cause });
  };
}

/** What the first 8 bytes of a file of `total` bytes say. */
function headerSizeOf(length: Buffer, total: number, fail: Fail): number {
  const size = Number(length.readBigUInt64LE(0));
  return size < 2 || size > total - 8 ? fail('has no header') : size;
}

function parseHeader(text: Buffer, total: number, fail: Fail): Map<string, Entry> {
  let header: unknown;
  try {
    header = JSON.parse(text.toString('utf8'));
  } catch (cause) {
    fail('has a header that is not JSON', cause);
  }
  const parsed = headerSchema.safeParse(header);
  if (!parsed.success) return fail('has a header of another kind');
  const { __metadata__, ...entries } = parsed.data;
  const found = new Map<string, Entry>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(entries)) {
    const type = dtypes.get(dtype);
    if (!type) return fail(`holds '${name}' as ${dtype}, which is not F32, I32 or U32`);
    const [begin, end] = data_offsets;
    const count = elementCount(shape);
    if (end - begin !== count * 4) fail(`holds '${name}' of another size than its shape`);
    if (8 + text.length + end > total) fail(`is truncated at '${name}'`);
    found.set(name, { dtype, type, shape, count, begin: 8 + text.length + begin });
  }
  return found;
}
