// A prepared dataset of any number of rows, written straight to disk in pieces: users and items of the
// numbers that Amazon-6 of the MAMDR paper has, six domains of 40% to 4% of the rows. Every value follows
// from the seed, its column and its row alone.
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { writeTensors } from '../dist/esm/io/safetensors.js';

const users = 445_789;
const items = 172_653;
const shares = [0.4, 0.25, 0.15, 0.1, 0.06, 0.04];
const pieceRows = 2 ** 18;

/** MurmurHash3's finalizer over three numbers: a share from 0 to below 1. */
function share(seed, column, row) {
  let hash = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(column + 1, 0xc2b2ae35) ^ row;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 4294967296;
}

/** Ids from 1: a few are frequent, most are rare. */
function popular(size, seed, column, row) {
  const own = share(seed, column, row);
  return 1 + Math.floor(size * own * own * own);
}

const user = (seed, row) => popular(users, seed, 0, row);

/** A domain has items of its own. */
function item(seed, row, domain) {
  const size = Math.floor(items / shares.length);
  return domain * size + popular(size, seed, 1, row);
}

/** What users and items like, and the rest chance. */
function label(seed, row, domain) {
  const taste = share(1, 3, user(seed, row)) - 0.5;
  const quality = share(1, 4, item(seed, row, domain)) - 0.5;
  const positive = 1 / (1 + Math.exp(-(4 * quality + 2 * taste)));
  return share(seed, 2, row) < positive ? 1 : 0;
}

function* pieces(type, rows, offsets, value) {
  let domain = 0;
  for (let from = 0; from < rows; from += pieceRows) {
    const piece = new type(Math.min(pieceRows, rows - from));
    for (let i = 0; i < piece.length; i++) {
      while (from + i >= offsets[domain + 1]) domain++;
      piece[i] = value(from + i, domain);
    }
    yield piece;
  }
}

function addSplit(tensors, name, rows, seed) {
  const offsets = new Int32Array(shares.length + 1);
  let before = 0;
  shares.forEach((own, d) => {
    before += own;
    offsets[d + 1] = Math.round(before * rows);
  });
  const add = (column, dtype, type, value) => {
    const of = () => pieces(type, rows, offsets, value);
    tensors.set(`${name}.${column}`, { dtype, shape: [rows], pieces: of });
  };
  tensors.set(`${name}.domainOffsets`, offsets);
  add('labels', 'F32', Float32Array, (row, domain) => label(seed, row, domain));
  add('ids.0', 'I32', Int32Array, (row) => user(seed, row));
  add('ids.1', 'I32', Int32Array, (row, domain) => item(seed, row, domain));
}

/** Writes the folder; `heldOut`: rows of the validation and of the test part. */
export async function writeSynthetic(folder, rows, heldOut, seed = 1) {
  mkdirSync(folder, { recursive: true });
  const tensors = new Map();
  addSplit(tensors, 'train', rows, 3 * seed);
  addSplit(tensors, 'validation', heldOut, 3 * seed + 1);
  addSplit(tensors, 'test', heldOut, 3 * seed + 2);
  await writeTensors(join(folder, 'dataset.safetensors'), tensors);
  const schema = {
    label: 'label',
    domain: 'domain',
    features: [
      { name: 'user', kind: 'categorical', size: users + 1 },
      { name: 'item', kind: 'categorical', size: items + 1 },
    ],
    domains: shares.map((_, d) => `d${d}`),
  };
  const header = { format: 'polydomain-dataset', version: 1 };
  writeFileSync(
    join(folder, 'schema.json'),
    `${JSON.stringify({ ...header, schema, vocabularies: [[], []] })}\n`,
  );
}

/**
 * Writes raw rows as CSV: domains, users, items and labels as above, the rows of all domains in one another's
 * midst, and the row's number as its time.
 */
export function writeRaw(path, rows, seed = 1) {
  const file = openSync(path, 'w');
  const lines = ['domain,user,item,label,time'];
  for (let row = 0; row < rows; row++) {
    let domain = 0;
    for (
      let left = share(seed, 5, row) - shares[0];
      left >= 0 && domain < 5;
      left -= shares[domain]
    )
      domain++;
    lines.push(
      `d${domain},u${user(seed, row)},i${item(seed, row, domain)},${label(seed, row, domain)},${row}`,
    );
    if (lines.length < pieceRows && row < rows - 1) continue;
    writeSync(file, `${lines.join('\n')}\n`);
    lines.length = 0;
  }
  closeSync(file);
}
