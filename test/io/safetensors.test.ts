import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../ts/index.js';
import { readTensors, type Stored, TensorPieces, writeTensors } from '../../ts/io/safetensors.js';
import { errorOf } from '../error-of.js';
import { temporaryFolder } from '../folder.js';

const path = temporaryFolder();

const fixture = (name: string) =>
  fileURLToPath(new URL(`../fixtures/${name}.safetensors`, import.meta.url));

const weight: Stored = {
  data: Float32Array.of(0.5, -1.25, 3e-40, Number.POSITIVE_INFINITY, 16777217, 0.1),
  shape: [2, 3],
};
const signed = Int32Array.of(-(2 ** 31), -1, 0, 2 ** 31 - 1);

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

async function headerOf(file: string): Promise<{ start: number; header: Record<string, Entry> }> {
  const bytes = await readFile(file);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  return { start, header: JSON.parse(bytes.toString('utf8', 8, start)) as Record<string, Entry> };
}

function withHeader(header: string, data: Uint8Array = new Uint8Array()): Uint8Array {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  return Buffer.concat([length, Buffer.from(header), data]);
}

describe('a safetensors file', () => {
  it('is read as it was written', async () => {
    const file = path('some.safetensors');
    const view = new Float32Array([9, 1, 2, 9]).subarray(1, 3);
    await writeTensors(
      file,
      new Map<string, Stored | Float32Array | Int32Array | Uint32Array>([
        ['weight', weight],
        ['signed', signed],
        ['units', Uint32Array.of(0, 2 ** 32 - 1)],
        ['none', new Float32Array()],
        ['view', view],
      ]),
    );
    const expected = new Map<string, unknown>([
      ['weight', weight.data],
      ['signed', signed],
      ['units', Uint32Array.of(0, 2 ** 32 - 1)],
      ['none', new Float32Array()],
      ['view', Float32Array.of(1, 2)],
    ]);
    const read = await readTensors(file);
    expect(read).toEqual(expected);
    expect([...read.keys()]).toEqual([...expected.keys()]);
    await writeTensors(file, read);
    expect(await readTensors(file)).toEqual(expected);
  });

  it('may hold nothing', async () => {
    await writeTensors(path('none.safetensors'), new Map());
    expect(await readTensors(path('none.safetensors'))).toEqual(new Map());
  });

  it('keeps the bits of every number', async () => {
    const bits = Uint32Array.of(0x7fc00001, 0xffc00000, 0x80000000, 0x00000001, 0x7f800000);
    await writeTensors(path('bits.safetensors'), new Map([['x', new Float32Array(bits.buffer)]]));
    const read = (await readTensors(path('bits.safetensors'))).get('x') as Float32Array;
    expect(new Uint32Array(read.buffer)).toEqual(bits);
  });

  it('tells types, shapes and places as the format wants them', async () => {
    const file = path('some.safetensors');
    await writeTensors(
      file,
      new Map<string, Stored | Int32Array>([
        ['weight', weight],
        ['signed', signed],
      ]),
    );
    const { start, header } = await headerOf(file);
    expect(header).toEqual({
      weight: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
      signed: { dtype: 'I32', shape: [4], data_offsets: [24, 40] },
    });
    expect((await stat(file)).size).toBe(start + 40);
  });

  it.each(['weight', 'größe', '大小', '👍'])('has aligned values after %s', async (name) => {
    const file = path('some.safetensors');
    await writeTensors(file, new Map([[name, weight]]));
    const { start, header } = await headerOf(file);
    expect(Object.keys(header)).toEqual([name]);
    expect(start % 8).toBe(0);
    expect(await readTensors(file)).toEqual(new Map([[name, weight.data]]));
  });

  it("is read as the format's own library wrote it", async () => {
    expect(await readTensors(fixture('reference'))).toEqual(
      new Map<string, unknown>([
        ['weight', weight.data],
        ['größe 大', signed],
        ['units', Uint32Array.of(0, 2 ** 32 - 1)],
        ['scalar', Float32Array.of(7)],
        ['empty', new Int32Array()],
      ]),
    );
  });
});

describe('one tensor', () => {
  it('is read in pieces by its name, or as the only one', async () => {
    const file = fixture('reference');
    const read = (tensor: TensorPieces, size: number) => {
      const pieces = [...tensor.read(size)];
      expect(pieces.slice(0, -1).every(({ length }) => length === size)).toBe(true);
      const data = pieces.flatMap((piece) => [...piece]);
      return { dtype: tensor.dtype, shape: tensor.shape, data };
    };
    const { shape, data } = weight;
    for (const size of [1, 4, 100]) {
      const found = read(TensorPieces.of(file, 'weight'), size);
      expect(found).toEqual({ dtype: 'F32', shape, data: [...data] });
    }
    expect(read(TensorPieces.of(file, 'größe 大'), 3)).toEqual({
      dtype: 'I32',
      shape: [4],
      data: [...signed],
    });
    expect(read(TensorPieces.of(file, 'empty'), 3)).toEqual({
      dtype: 'I32',
      shape: [0, 4],
      data: [],
    });
    await writeTensors(path('one.safetensors'), new Map([['some', weight]]));
    expect(read(TensorPieces.of(path('one.safetensors')), 5).data).toEqual([...data]);
  });

  it.each([
    ['wieght', /holds no tensor 'wieght'; did you mean 'weight'/],
    [undefined, /holds 5 tensors; expected the name of one of .*weight/],
  ])('is refused as %s', (name, message) => {
    expect(() => TensorPieces.of(fixture('reference'), name)).toThrow(CheckpointError);
    expect(() => TensorPieces.of(fixture('reference'), name)).toThrow(message);
  });
});

describe('a safetensors file is refused', () => {
  const expectError = async (file: string, ...told: readonly string[]) => {
    for (const read of [() => readTensors(file), () => TensorPieces.of(file)]) {
      const error = await errorOf(read);
      expect(error).toBeInstanceOf(CheckpointError);
      for (const text of [`'${file}'`, 'expected a safetensors file', ...told]) {
        expect(error.message).toContain(text);
      }
    }
  };

  it('when it is missing or a folder', async () => {
    await expectError(path('nowhere.safetensors'), 'cannot be read', 'ENOENT');
    await expectError(path(), 'cannot be read', 'EISDIR');
  });

  it('when it is truncated anywhere', async () => {
    const file = path('some.safetensors');
    await writeTensors(file, new Map([['weight', weight]]));
    const { size } = await stat(file);
    const { start } = await headerOf(file);
    for (let length = size - 1; length >= 0; length--) {
      await truncate(file, length);
      await expectError(file, length < start ? 'has no header' : "is truncated at 'weight'");
    }
  });

  it.each([
    ['text', Buffer.from('a file of something else')],
    ['zeros', new Uint8Array(64)],
    ['a length beyond the file', Buffer.alloc(64, 0xff)],
  ])('when it is %s', async (_, content) => {
    await writeFile(path('other.safetensors'), content);
    await expectError(path('other.safetensors'), 'has no header');
  });

  it('when its header is not JSON', async () => {
    await writeFile(path('other.safetensors'), withHeader('{"weight": {"dty'));
    await expectError(path('other.safetensors'), 'has a header that is not JSON');
  });

  it.each([
    'null',
    '[1, 2]',
    '{"weight": null}',
    '{"weight": {}}',
    '{"weight": {"dtype": "F32"}}',
    '{"weight": {"dtype": "F32", "shape": [2]}}',
    '{"weight": {"dtype": "F32", "shape": 2, "data_offsets": [0, 8]}}',
    '{"weight": {"dtype": "F32", "shape": [2], "data_offsets": [-4, 4]}}',
    '{"weight": {"dtype": "F32", "shape": [2], "data_offsets": [0, 12]}}',
    '{"weight": {"dtype": "F32", "shape": [1], "data_offsets": [8, 4]}}',
    '{"weight": {"dtype": "F32", "shape": [0.5], "data_offsets": [0, 2]}}',
    '{"weight": {"dtype": "toString", "shape": [2], "data_offsets": [0, 8]}}',
  ])('when its header is %s', async (header) => {
    await writeFile(path('other.safetensors'), withHeader(header, new Uint8Array(12)));
    await expectError(path('other.safetensors'));
  });

  it('when it holds a type that is not known', async () => {
    await expectError(fixture('float64'), "holds 'precise' as F64, which is not F32, I32 or U32");
  });
});
