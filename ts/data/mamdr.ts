import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../errors.js';
import { badValue } from './codes.js';
import { labelsOf } from './labels.js';
import type { Prepared } from './prepare.js';
import { readTable, type Table } from './table.js';
import type { Split } from './types.js';

const fields = ['uid', 'pid'] as const;
const files = ['train', 'val', 'test'] as const;
/** MAMDR numbers ids from 0 without gaps; beyond this a column holds something else. */
const highestId = 100_000_000;

/** Whether a folder has the layout that MAMDR's public preparation writes. */
export function isMamdrFolder(folder: string): boolean {
  return existsSync(join(folder, 'domain_0', 'train.csv'));
}

/**
 * Reads MAMDR's processed layout as it is: `domain_<i>/{train,val,test}.csv` with columns uid, pid,
 * domain and label. Ids count from 0 there; here they move up by one, as 0 is the unknown id. Raw
 * ids come from `processed_data/<field>2id.json` where it is; else the numbers stand for themselves.
 * Throws DataError.
 */
export async function readMamdrFolder(folder: string): Promise<Prepared> {
  const numbers = readdirSync(folder).flatMap((name) => /^domain_(\d+)$/.exec(name)?.[1] ?? []);
  const count = 1 + Math.max(...numbers.map(Number));
  const names: string[] = [];
  const tables: (readonly [Table, Table, Table])[] = [];
  for (let d = 0; d < count; d++) {
    const own = join(folder, `domain_${d}`);
    if (!existsSync(own)) {
      throw new DataError(
        `'${folder}': domain_${d} is missing; expected domain_0 to domain_${count - 1}`,
      );
    }
    const read = await Promise.all(files.map((file) => readTable(join(own, `${file}.csv`))));
    tables.push(read as unknown as (typeof tables)[0]);
    names.push(mamdrDomainName(folder, d));
  }
  const columns = fields.map((field) =>
    files.map((_, p) => tables.map((own) => idsOf(own[p] as Table, field))),
  );
  const vocabularies = fields.map((field, f) =>
    vocabulary(folder, field, columns[f] as Int32Array[][]),
  );
  const splits = files.map((_, p): Split => {
    const own = tables.map((parts) => parts[p] as Table);
    const domainOffsets = new Int32Array(count + 1);
    own.forEach(({ rows }, d) => {
      domainOffsets[d + 1] = (domainOffsets[d] as number) + rows;
    });
    return {
      rows: domainOffsets[count] as number,
      domainOffsets,
      ids: columns.map((parts) =>
        joined(parts[p] as Int32Array[], new Int32Array(domainOffsets[count] as number)).map(
          (id) => id + 1,
        ),
      ),
      labels: joined(
        own.map((table) => labelsOf(table, 'label')),
        new Float32Array(domainOffsets[count] as number),
      ),
    };
  });
  return {
    schema: {
      label: 'label',
      domain: 'domain',
      features: fields.map((name, f) => ({
        name,
        kind: 'categorical',
        size: (vocabularies[f] as string[]).length + 1,
      })),
      domains: names,
    },
    vocabularies,
    splits: splits as unknown as Prepared['splits'],
  };
}

function idsOf(table: Table, column: string): Int32Array {
  return Int32Array.from(table.column(column) as ArrayLike<never>, (value: unknown, row) => {
    const number = value === null || value === '' ? -1 : Number(value);
    if (Number.isInteger(number) && number >= 0 && number <= highestId) return number;
    throw badValue(table, column, row, value, `an id from 0 to ${highestId}`);
  });
}

/** The parts one after another, in `all`. */
function joined<Values extends Int32Array | Float32Array>(
  parts: readonly Values[],
  all: Values,
): Values {
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function json<Content>(path: string): Content | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Content;
  } catch (cause) {
    throw new DataError(`'${path}' is not JSON: ${(cause as Error).message}`, { cause });
  }
}

interface DomainProperty {
  readonly domain_name?: string;
  readonly ctr_ratio?: number;
}

/** What the public preparation notes of a domain; undefined where it does not. Throws DataError. */
export function mamdrProperty(folder: string, index: number): DomainProperty | undefined {
  return json<DomainProperty>(join(folder, `domain_${index}`, 'domain_property.json'));
}

/** The name that readMamdrFolder gives a domain. Throws DataError. */
export function mamdrDomainName(folder: string, index: number): string {
  return mamdrProperty(folder, index)?.domain_name ?? `domain_${index}`;
}

/** What the public preparation writes as `<field>2id.json`. */
export interface MamdrIds {
  readonly id?: number;
  readonly raw_id2id?: Readonly<Record<string, number>>;
}

/** The raw values of ids from 0; a number that none is known of stands for itself. */
export function mamdrValues({ id = 0, raw_id2id = {} }: MamdrIds, least = 0): string[] {
  const names = Array.from({ length: Math.max(id, least) }, (_, number) => String(number));
  for (const [raw, number] of Object.entries(raw_id2id)) {
    if (number < names.length) names[number] = raw;
  }
  return names;
}

function vocabulary(folder: string, field: string, columns: readonly Int32Array[][]): string[] {
  const stored = json<MamdrIds>(join(folder, 'processed_data', `${field}2id.json`));
  let highest = -1;
  for (const part of columns) {
    for (const own of part) for (const id of own) highest = Math.max(highest, id);
  }
  return mamdrValues(stored ?? {}, highest + 1);
}
