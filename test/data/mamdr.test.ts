import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { DataError, Dataset } from '../../ts/index.js';
import { errorOf } from '../error-of.js';
import { temporaryFolder } from '../folder.js';
import { contentsOf } from './tables.js';

const path = temporaryFolder();

type Rows = readonly (readonly [uid: number, pid: number, label: number])[];
interface Domain {
  readonly train: Rows;
  readonly val: Rows;
  readonly test: Rows;
}

async function write(file: string, content: string): Promise<void> {
  await mkdir(dirname(path(file)), { recursive: true });
  await writeFile(path(file), content);
}

/** Writes domain_<i>/{train,val,test}.csv as MAMDR's preparation does. */
async function writeDomain(index: number, domain: Domain): Promise<void> {
  for (const part of ['train', 'val', 'test'] as const) {
    const lines = domain[part].map(([uid, pid, label]) => `${uid},${pid},${index},${label}\n`);
    await write(`domain_${index}/${part}.csv`, `uid,pid,domain,label\n${lines.join('')}`);
  }
}

const writeJson = (file: string, content: unknown) => write(file, JSON.stringify(content));

const books: Domain = {
  train: [
    [0, 2, 1],
    [3, 0, 0],
  ],
  val: [[0, 0, 0]],
  test: [[3, 2, 1]],
};
const toys: Domain = {
  train: [[1, 1, 1]],
  val: [
    [1, 4, 0],
    [0, 1, 1],
  ],
  test: [[4, 1, 0]],
};

beforeEach(async () => {
  await writeDomain(0, books);
  await writeDomain(1, toys);
});

describe("a folder in MAMDR's layout", () => {
  const contents = {
    train: {
      rows: 3,
      domainOffsets: Int32Array.of(0, 2, 3),
      ids: [Int32Array.of(1, 4, 2), Int32Array.of(3, 1, 2)],
      labels: Float32Array.of(1, 0, 1),
    },
    validation: {
      rows: 3,
      domainOffsets: Int32Array.of(0, 1, 3),
      ids: [Int32Array.of(1, 2, 1), Int32Array.of(1, 5, 2)],
      labels: Float32Array.of(0, 0, 1),
    },
    test: {
      rows: 2,
      domainOffsets: Int32Array.of(0, 1, 2),
      ids: [Int32Array.of(4, 5), Int32Array.of(3, 2)],
      labels: Float32Array.of(1, 0),
    },
  };
  const schemaOf = (users: number, items: number, domains: readonly string[]) => ({
    label: 'label',
    domain: 'domain',
    features: [
      { name: 'uid', kind: 'categorical', size: users },
      { name: 'pid', kind: 'categorical', size: items },
    ],
    domains,
  });

  it('is a dataset of ids one higher, whose names are the raw ids', async () => {
    await writeJson('domain_0/domain_property.json', { domain_name: 'Books', ctr: 0.5 });
    await writeJson('domain_1/domain_property.json', { domain_name: 'Toys and Games' });
    const users = { A1: 0, A2: 1, A3: 2, A4: 3, A5: 4, A6: 5 };
    await writeJson('processed_data/uid2id.json', { id: 6, raw_id2id: users });
    const items = { B5: 4, B4: 3, B3: 2, B2: 1, B1: 0 };
    await writeJson('processed_data/pid2id.json', { id: 5, raw_id2id: items });
    const data = await Dataset.open(path());
    expect(contentsOf(data)).toEqual({
      schema: schemaOf(7, 6, ['Books', 'Toys and Games']),
      values: [
        ['A1', 'A2', 'A3', 'A4', 'A5', 'A6'],
        ['B1', 'B2', 'B3', 'B4', 'B5'],
      ],
      ...contents,
    });
    expect(data.vocabulary.encode(0, 'A4')).toBe(4);
    expect(data.vocabulary.encode(1, 'B9')).toBe(0);
  });

  it('has its numbers for names without the JSON files', async () => {
    expect(contentsOf(await Dataset.open(path()))).toEqual({
      schema: schemaOf(6, 6, ['domain_0', 'domain_1']),
      values: [
        ['0', '1', '2', '3', '4'],
        ['0', '1', '2', '3', '4'],
      ],
      ...contents,
    });
  });

  it('has numbers for the ids that a JSON file leaves out', async () => {
    await writeJson('processed_data/uid2id.json', { id: 3, raw_id2id: { A1: 0, A3: 2, A9: 8 } });
    const { schema, vocabulary } = await Dataset.open(path());
    expect(schema).toEqual(schemaOf(6, 6, ['domain_0', 'domain_1']));
    expect(vocabulary.values[0]).toEqual(['A1', '1', 'A3', '3', '4']);
  });

  it('has its domains in the order of their numbers', async () => {
    for (let d = 2; d < 11; d++) await writeDomain(d, books);
    const { schema, train } = await Dataset.open(path());
    expect(schema.domains).toEqual(Array.from({ length: 11 }, (_, d) => `domain_${d}`));
    expect([...train.domainOffsets]).toEqual([0, 2, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21]);
  });

  it('may have domains without validation or test rows', async () => {
    await writeDomain(1, { ...toys, val: [], test: [] });
    const { validation, test } = await Dataset.open(path());
    expect([...validation.domainOffsets]).toEqual([0, 1, 1]);
    expect([...test.domainOffsets]).toEqual([0, 1, 1]);
  });

  it('is saved and opened as any other dataset', async () => {
    const data = await Dataset.open(path());
    await data.save(path('saved'));
    expect(contentsOf(await Dataset.open(path('saved')))).toEqual(contentsOf(data));
  });

  describe('is refused', () => {
    const expectError = async (...told: readonly string[]) => {
      const error = await errorOf(() => Dataset.open(path()));
      expect(error).toBeInstanceOf(DataError);
      for (const text of told) expect(error.message).toContain(text);
    };

    it('when a domain is missing', async () => {
      await writeDomain(3, toys);
      await expectError(`'${path()}': domain_2 is missing; expected domain_0 to domain_3`);
    });

    it('when a file is missing', async () => {
      await rm(path('domain_1', 'val.csv'));
      await expectError(path('domain_1', 'val.csv'), 'does not exist');
    });

    it('when a column has another name', async () => {
      await write('domain_1/test.csv', 'uid,pid,domain,labels\n1,1,1,1\n');
      await expectError(path('domain_1', 'test.csv'), "no column 'label'; did you mean 'labels'?");
      await write('domain_1/test.csv', 'user,pid,domain,label\n1,1,1,1\n');
      await expectError(path('domain_1', 'test.csv'), "no column 'uid'; did you mean 'pid'?");
    });

    it.each(['-1', '0.5', 'A1', ''])("when an id is '%s'", async (id) => {
      await write('domain_1/train.csv', `uid,pid,domain,label\n1,1,1,1\n${id},1,1,0\n`);
      await expectError(
        path('domain_1', 'train.csv'),
        `column 'uid', row 2: '${id || 'null'}'; expected an id from 0`,
      );
    });

    it.each(['-1', '0.5', '2'])("when a label is '%s'", async (label) => {
      await write('domain_1/train.csv', `uid,pid,domain,label\n1,1,1,1\n1,2,1,${label}\n`);
      await expectError(path('domain_1', 'train.csv'), 'label', 'row 2', label, 'expected 0 or 1');
    });

    it('when a domain has no training rows', async () => {
      await writeDomain(1, { ...toys, train: [] });
      await expectError("train: domain 'domain_1' has no rows");
    });

    it('when a JSON file is broken', async () => {
      await write('processed_data/pid2id.json', '{"id": 5, "raw_');
      await expectError(path('processed_data', 'pid2id.json'), 'is not JSON');
      await rm(path('processed_data'), { recursive: true });
      await write('domain_1/domain_property.json', '');
      await expectError(path('domain_1', 'domain_property.json'), 'is not JSON');
    });

    it('when two domains have the same name', async () => {
      await writeJson('domain_0/domain_property.json', { domain_name: 'Books' });
      await writeJson('domain_1/domain_property.json', { domain_name: 'Books' });
      await expectError("'Books'");
    });
  });
});
