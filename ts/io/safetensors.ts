import { type FileHandle, open } from 'node:fs/promises';
import { z } from 'zod';
import { CheckpointError } from '../errors.js';
import { writeFileAtomic } from './atomic.js';

type Values = Float32Array | Int32Array | Uint32Array;

/** A tensor to store: its values, and its shape when that is not one-dimensional. */
export interface Stored {
  readonly data: Values;
  readonly shape: readonly number[];
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

function dtypeOf(values: Values): string {
  return values instanceof Float32Array ? 'F32' : values instanceof Int32Array ? 'I32' : 'U32';
}

/** Writes tensors in the safetensors format, whole or not at all. */
export async function writeTensors(
  path: string,
  tensors: ReadonlyMap<string, Values | Stored>,
): Promise<void> {
  const header: Record<string, unknown> = {};
  const pieces: Uint8Array[] = [];
  let offset = 0;
  for (const [name, tensor] of tensors) {
    const { data, shape } = 'shape' in tensor ? tensor : { data: tensor, shape: [tensor.length] };
    header[name] = {
      dtype: dtypeOf(data),
      shape,
      data_offsets: [offset, offset + data.byteLength],
    };
    pieces.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    offset += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  // Blanks up to a multiple of 8 bytes keep the values aligned.
  const head = Buffer.alloc(8 * Math.ceil(json.length / 8), ' ');
  json.copy(head);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(head.length));
  await writeFileAtomic(path, [length, head, ...pieces]);
}

/** Reads a safetensors file. Throws CheckpointError when it is missing, truncated or foreign. */
export async function readTensors(path: string): Promise<Map<string, Values>> {
  const fail = (why: string, cause?: unknown): never => {
    throw new CheckpointError(`'${path}' ${why}; expected a safetensors file`, { cause });
  };
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    return await readOpen(file, fail);
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    return fail(`cannot be read (${(cause as Error).message})`, cause);
  } finally {
    await file?.close();
  }
}

/** Fills `bytes` from a place in the file: files may be larger than one read, or one buffer. */
async function readRange(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  const most = 2 ** 30;
  for (let at = 0; at < bytes.length; ) {
    const part = Math.min(most, bytes.length - at);
    const { bytesRead } = await file.read(bytes, at, part, position + at);
    if (bytesRead === 0) throw new Error('it ends early');
    at += bytesRead;
  }
}

async function readOpen(
  file: FileHandle,
  fail: (why: string, cause?: unknown) => never,
): Promise<Map<string, Values>> {
  const { size: total } = await file.stat();
  const length = Buffer.alloc(8);
  if (total < 8) fail('has no header');
  await readRange(file, length, 0);
  const headerSize = Number(length.readBigUInt64LE(0));
  if (headerSize < 2 || headerSize > total - 8) fail('has no header');
  const text = Buffer.alloc(headerSize);
  await readRange(file, text, 8);
  let header: unknown;
  try {
    header = JSON.parse(text.toString('utf8'));
  } catch (cause) {
    fail('has a header that is not JSON', cause);
  }
  const parsed = headerSchema.safeParse(header);
  if (!parsed.success) return fail('has a header of another kind');
  const { __metadata__, ...entries } = parsed.data;
  const tensors = new Map<string, Values>();
  for (const [name, entry] of Object.entries(entries)) {
    const type = dtypes.get(entry.dtype);
    if (!type) return fail(`holds '${name}' as ${entry.dtype}, which is not F32, I32 or U32`);
    const [begin, end] = entry.data_offsets;
    const count = entry.shape.reduce((product, n) => product * n, 1);
    if (end - begin !== count * 4) fail(`holds '${name}' of another size than its shape`);
    if (8 + headerSize + end > total) fail(`is truncated at '${name}'`);
    const bytes = new Uint8Array(end - begin);
    await readRange(file, bytes, 8 + headerSize + begin);
    tensors.set(name, new type(bytes.buffer));
  }
  return tensors;
}
